"""The samplers side by side: what an evaluation of the network buys with each, in latents and in images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lsgm.reporting.records.figure_measurements import SamplerPoint, SamplerStudy

from .figure4 import distance_name
from .style import (
    PAGE_WIDTH,
    footer,
    letter,
    measurement_words,
    new_figure,
    palette,
    paper_style,
    plain_log,
    save_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SOLVERS = {"ode": ("adaptive", "o"), "heun": ("Heun", "s"), "multistep": ("multistep", "D")}
PANEL_HEIGHT = 1.9  # inches


def draw_samplers(studies: Sequence[SamplerStudy]) -> Figure:
    """Draw one row per run: rms error of z_0 and Fréchet distance against evaluations, a line per sampler.

    Raises:
        ValueError: no study.
    """
    if not studies:
        raise ValueError("the figure needs at least one run")
    figure = new_figure(PAGE_WIDTH, PANEL_HEIGHT * len(studies) + 0.2)
    rows = figure.subplots(len(studies), 2, squeeze=False)
    titles = {}
    for (left, right), study in zip(rows, studies, strict=True):
        _draw(left, study, [point.latent_error for point in study.points])
        distances = [None if point.frechet is None else point.frechet.value for point in study.points]
        if any(distance is not None for distance in distances):
            _draw(right, study, distances)
            right.set_ylabel(distance_name([study]))
        else:
            _leave_empty(right)
        left.set_ylabel(r"rms error in $z_0$")
        if any(point.latent_error for point in study.points):
            plain_log(left)
        titles |= {f"{study.run}: latents": left, f"{study.run}: images": right}
    letter(titles)
    handles, labels = rows[0][0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper center", ncols=len(handles))
    footer(figure, measurement_words(studies, list(map(_words, studies))))
    return figure


def write_samplers(studies: Sequence[SamplerStudy], out_stem: Path) -> list[Path]:
    """Write the figure as png and pdf; arguments as in `draw_samplers` and `save_figure`."""
    with paper_style():
        return save_figure(draw_samplers(studies), out_stem)


def _draw(axis: Axes, study: SamplerStudy, values: Sequence[float | None]) -> None:
    """One line per sampler; a point that failed, or was not measured, leaves a gap."""
    numbers = dict(zip(study.points, values, strict=True))
    for (solver, (label, marker)), colour in zip(SOLVERS.items(), palette(), strict=False):
        points = [point for point in study.points if point.solver == solver and point.nfe is not None]
        points.sort(key=_evaluations)
        heights = np.array([np.nan if numbers[point] is None else numbers[point] for point in points], dtype=float)
        axis.plot(list(map(_evaluations, points)), heights, marker=marker, color=colour, label=label)
    axis.set_xlabel("evaluations of the network")
    if any(point.nfe is not None for point in study.points):
        _count_axis(axis)


def _leave_empty(axis: Axes) -> None:
    """Say in an empty panel why it is empty."""
    axis.set_axis_off()
    axis.text(0.5, 0.5, "no Fréchet distance measured", ha="center", va="center", transform=axis.transAxes)


def _count_axis(axis: Axes) -> None:
    """A logarithmic axis of counts, in plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_xscale("log")
    low, high = axis.get_xlim()
    axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 1000 else (1.0,)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_locator(NullLocator())


def _evaluations(point: SamplerPoint) -> float:
    return point.nfe


def _words(study: SamplerStudy) -> str:
    protocols = dict.fromkeys(f"; {point.frechet.protocol}" for point in study.points if point.frechet is not None)
    tolerances = [f"{point.setting:g}" for point in study.points if point.solver == "ode"]
    return (
        f"{study.num_samples:,} images per point, batches of {study.batch_size}, {study.provenance.device}"
        f"{''.join(protocols)}; error of {study.num_latents:,} latents against the ODE at tolerance "
        f"{study.reference_tol:g}; adaptive: tolerance {', '.join(tolerances)}."
    )
