"""Figure 4: what a looser tolerance of the sampling ODE saves (evaluations, time) and costs (Fréchet distance)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lsgm.reporting.records.figure_measurements import ToleranceSweep

from .style import (
    PAGE_WIDTH,
    footer,
    letter,
    measurement_words,
    new_figure,
    palette,
    paper_style,
    save_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^v"


def draw_figure4(sweeps: Sequence[ToleranceSweep]) -> Figure:
    """Draw Fréchet distance, evaluations of a batch and seconds per image against the tolerance, one line per run.

    Raises:
        ValueError: no sweep.
    """
    if not sweeps:
        raise ValueError("figure 4 needs at least one run")
    figure = new_figure(PAGE_WIDTH, 2.0)
    axes = dict(zip(("quality", "evaluations of the prior", "wall time"), figure.subplots(1, 3), strict=True))
    for sweep, marker, colour in zip(sweeps, MARKERS, palette(), strict=False):
        style = {"marker": marker, "color": colour, "label": sweep.run}
        distances = [None if point.frechet is None else point.frechet.value for point in sweep.points]
        _line(axes["quality"], sweep, distances, style)
        _line(axes["evaluations of the prior"], sweep, [point.nfe for point in sweep.points], style)
        _line(axes["wall time"], sweep, seconds_per_image(sweep), style)
    letter(axes)
    for axis, label in zip(axes.values(), (distance_name(sweeps), "NFE", "seconds per image"), strict=True):
        axis.set_ylabel(label)
        _finish(axis, sweeps)
    if len(sweeps) > 1:
        figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=len(sweeps))
    footer(figure, measurement_words(sweeps, list(map(_words, sweeps))))
    return figure


def write_figure4(sweeps: Sequence[ToleranceSweep], out_stem: Path) -> list[Path]:
    """Write the figure as png and pdf; arguments as in `draw_figure4` and `save_figure`."""
    with paper_style():
        return save_figure(draw_figure4(sweeps), out_stem)


def distance_name(sweeps: Sequence[ToleranceSweep]) -> str:
    """Name of the distance, broken into lines: FID only if it is that for every run."""
    names = dict.fromkeys(point.frechet.name for sweep in sweeps for point in sweep.points if point.frechet is not None)
    if not names:
        return "not measured"
    return textwrap.fill(next(iter(names)) if len(names) == 1 else "Fréchet distance", 20)


def seconds_per_image(sweep: ToleranceSweep) -> list[float | None]:
    """Wall time of all batches over the number of images, at each tolerance: runs may have batches of other sizes."""
    batches_per_image = math.ceil(sweep.num_samples / sweep.batch_size) / sweep.num_samples
    seconds = (point.seconds_per_batch for point in sweep.points)
    return [None if of_batch is None else of_batch * batches_per_image for of_batch in seconds]


def _line(axis: Axes, sweep: ToleranceSweep, values: Sequence[float | None], style: dict[str, object]) -> None:
    """A line through the points that there are; a tolerance at which the solver failed leaves a gap."""
    numbers = np.array([np.nan if value is None else value for value in values], dtype=float)
    axis.plot([point.tol for point in sweep.points], numbers, **style)


def _finish(axis: Axes, sweeps: Sequence[ToleranceSweep]) -> None:
    tolerances = sorted({point.tol for sweep in sweeps for point in sweep.points})
    labels = [np.format_float_scientific(tol, trim="-", exp_digits=1) for tol in tolerances]
    axis.set_xscale("log")
    axis.set_xticks(tolerances, labels)
    axis.minorticks_off()
    axis.set_xlabel("ODE tolerance")
    axis.set_ylim(0, 1.1 * axis.get_ylim()[1])


def _words(sweep: ToleranceSweep) -> str:
    protocols = dict.fromkeys(f"; {point.frechet.protocol}" for point in sweep.points if point.frechet is not None)
    return (
        f"{sweep.num_samples:,} images per tolerance, batches of {sweep.batch_size}, "
        f"{sweep.provenance.device}{''.join(protocols)}."
    )
