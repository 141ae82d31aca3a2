"""Figure 3: the densities from which importance sampling draws times, for each forward process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .style import (
    COLUMN_WIDTH,
    TIMES,
    footer,
    letter,
    new_figure,
    paper_style,
    plain_log,
    save_figure,
    time_colours,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOWEST = 2e-3  # densities below this are cut off: next to no time is drawn there


@dataclass(frozen=True)
class Density:
    """One distribution of times.

    Attributes:
        times: `uniform`, or the weighting that it is the importance sampler of.
        grid: times, (N,).
        values: r(t) on the grid, (N,).
        median: half of the times are below.
        median_value: r there.
    """

    times: str
    grid: np.ndarray
    values: np.ndarray
    median: float
    median_value: float


@dataclass(frozen=True)
class DensityPanel:
    """All distributions of one forward process, under its name."""

    title: str
    densities: Sequence[Density]


def draw_figure3(panels: Sequence[DensityPanel], note: str) -> Figure:
    """Draw one panel per forward process, with one density axis for all.

    Args:
        panels: the processes.
        note: what the figure was made from.
    """
    if not panels:
        raise ValueError("figure 3 needs at least one forward process")
    figure = new_figure(COLUMN_WIDTH, 2.1)
    axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
    for axis, panel in zip(axes, panels, strict=True):
        _draw_panel(axis, panel)
    letter({panel.title: axis for axis, panel in zip(axes, panels, strict=True)})
    axes[0].set_ylabel("density $r(t)$")
    highest = max(density.values.max() for panel in panels for density in panel.densities)
    axes[0].set_ylim(LOWEST, 2 * highest)
    plain_log(axes[0])
    labels = {text.get_label(): text for axis in axes for text in axis.get_lines() if text.get_label()[0] != "_"}
    figure.legend(labels.values(), labels.keys(), loc="outside upper center", ncols=len(labels), handlelength=1.5)
    footer(figure, note)
    return figure


def write_figure3(panels: Sequence[DensityPanel], note: str, out_stem: Path) -> list[Path]:
    """Write the figure as png and pdf; arguments as in `draw_figure3` and `save_figure`."""
    with paper_style():
        return save_figure(draw_figure3(panels, note), out_stem)


def _draw_panel(axis: Axes, panel: DensityPanel) -> None:
    colours = time_colours()
    for density in panel.densities:
        # Uniform times come last and dashed, so that a density that equals them is seen below.
        is_uniform = density.times == "uniform"
        style = {"linestyle": (0, (3, 2)), "zorder": 3} if is_uniform else {}
        colour = colours[density.times]
        axis.plot(density.grid, density.values, color=colour, label=TIMES[density.times], **style)
        if not is_uniform:
            axis.plot([density.median], [density.median_value], "o", color=colour, label="_median")
    axis.set_xlim(0, 1)
    axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axis.set_xlabel("time $t$")
