"""How noisy the prior's training objective is under each distribution of times (LSGM section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lsgm.reporting.records.figure_measurements import VariancePoint, VarianceStudy

from .style import (
    COLUMN_WIDTH,
    TIMES,
    WEIGHTINGS,
    footer,
    letter,
    measurement_words,
    new_figure,
    paper_style,
    plain_log,
    save_figure,
    time_colours,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAR_WIDTH = 0.2  # of the distance between two groups
PANEL_HEIGHT = 1.6  # inches
EXACT = r"$q = p = \mathcal{N}(0, I)$"
SDE_TITLES = {"vpsde": "VPSDE", "geometric": "geometric VPSDE", "sub_vpsde": "sub-VPSDE", "vesde": "VESDE"}


def draw_variance(studies: Sequence[VarianceStudy]) -> Figure:
    """Draw one panel per run: a group of bars per weighting, a bar per distribution of times.

    A bar is the standard deviation of one term of the objective over its mean; the line across it is the same for
    standard normal latents and prior, where it is known exactly.

    Raises:
        ValueError: no study.
    """
    if not studies:
        raise ValueError("the figure needs at least one run")
    figure = new_figure(COLUMN_WIDTH, PANEL_HEIGHT * len(studies) + 0.3)
    axes = np.atleast_1d(figure.subplots(len(studies), 1))
    for axis, study in zip(axes, studies, strict=True):
        _draw_panel(axis, study)
    letter({f"{study.run}: {SDE_TITLES[study.sde]}": axis for axis, study in zip(axes, studies, strict=True)})
    handles = {label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    if EXACT in handles:
        handles[EXACT] = handles.pop(EXACT)  # to the end
    if handles:
        figure.legend(
            handles.values(), handles.keys(), loc="outside upper center", ncols=len(handles),
            handlelength=1.0, columnspacing=1.0, handletextpad=0.4,
        )  # fmt: skip
    footer(figure, measurement_words(studies, list(map(_words, studies))))
    return figure


def write_variance(studies: Sequence[VarianceStudy], out_stem: Path) -> list[Path]:
    """Write the figure as png and pdf; arguments as in `draw_variance` and `save_figure`."""
    with paper_style():
        return save_figure(draw_variance(studies), out_stem)


def _draw_panel(axis: Axes, study: VarianceStudy) -> None:
    axis.set_ylabel("std / mean")
    axis.set_xticks(range(len(WEIGHTINGS)), WEIGHTINGS.values())
    axis.set_xlim(-0.5, len(WEIGHTINGS) - 0.5)
    axis.grid(visible=False, axis="x")
    times = [name for name in TIMES if any(point.times == name for point in study.points)]
    for place, name in enumerate(times):
        points = {point.weighting: point for point in study.points if point.times == name}
        offset = (place - (len(times) - 1) / 2) * BAR_WIDTH
        _draw_bars(axis, [points[weighting] for weighting in WEIGHTINGS], offset, name)
    if study.points:
        lowest = min(min(point.variation, point.normal_variation) for point in study.points)
        axis.set_ylim(lowest / 2, 2 * max(point.variation for point in study.points))
    plain_log(axis)


def _draw_bars(axis: Axes, points: Sequence[VariancePoint], offset: float, times: str) -> None:
    centres = np.arange(len(points)) + offset
    heights = [point.variation for point in points]
    axis.bar(centres, heights, BAR_WIDTH * 0.9, color=time_colours()[times], label=TIMES[times], linewidth=0)
    half = BAR_WIDTH * 0.45
    axis.hlines(
        [point.normal_variation for point in points], centres - half, centres + half, color="black", lw=1.2, label=EXACT
    )


def _words(study: VarianceStudy) -> str:
    return (
        f"{study.num_images:,} training images, {study.num_times} times per image and distribution, "
        f"D\u00a0=\u00a0{study.num_dims:,}."
    )
