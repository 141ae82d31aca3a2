"""A picture like the paper's Figure 5: for each run, real images beside samples of the VAE alone and of the LSGM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .style import own_settings, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRID = (5, 6)  # rows and columns of images in each panel
TARGET_SIDE = 64  # pixels: smaller images are enlarged by a whole factor near this, so that no viewer blurs them
GAP = 4
PANEL_WIDTH = 3.3  # inches
DPI = 150  # enough for enlarged pixels; the file stays small


@dataclass(frozen=True)
class SampleBlock:
    """The panels of one run, side by side.

    Attributes:
        title: what they are: run, data set, and that it is a stand-in if so.
        panels: images (N, C, H, W) by the panel's title, uint8 or float in [0, 1], C = 1 or 3.
    """

    title: str
    panels: Mapping[str, np.ndarray]


def sample_grid(images: np.ndarray, rows: int = GRID[0], columns: int = GRID[1]) -> np.ndarray:
    """Lay the first rows * columns images out on white.

    Args:
        images: (N, C, H, W), uint8 or float in [0, 1], C = 1 or 3. Places without an image stay white.
        rows: rows of the grid.
        columns: columns of the grid.

    Returns:
        One picture (height, width, 3), float in [0, 1], each image enlarged by a whole factor, without interpolation.

    Raises:
        ValueError: another shape, or values that are not finite.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
        raise ValueError(f"a grid needs images (N, 1 or 3, H, W), not an array of shape {images.shape}")
    chosen = images[: rows * columns]
    chosen = chosen / 255 if chosen.dtype == np.uint8 else chosen
    if not np.isfinite(chosen).all():
        raise ValueError("images hold values that are not finite")
    factor = max(1, round(TARGET_SIDE / chosen.shape[-1]))
    enlarged = np.repeat(np.repeat(np.clip(chosen, 0, 1), factor, axis=2), factor, axis=3)
    height, width = enlarged.shape[2:]
    picture = np.ones((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3))
    for index, image in enumerate(enlarged):
        top, left = index // columns * (height + GAP), index % columns * (width + GAP)
        picture[top : top + height, left : left + width] = np.moveaxis(image, 0, -1)
    return picture


def draw_figure5(entries: Sequence[SampleBlock]) -> Figure:
    """Draw one row per run, its panels side by side.

    Raises:
        ValueError: no entry, or images that are not images.
    """
    if not entries:
        raise ValueError("figure 5 needs at least one run")
    import seaborn
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pictures = [{label: sample_grid(images) for label, images in entry.panels.items()} for entry in entries]
    heights = [max(picture.shape[0] / picture.shape[1] for picture in row.values()) for row in pictures]
    columns = max(map(len, pictures))
    with seaborn.axes_style("white"), seaborn.plotting_context("paper", font_scale=1.1):
        height = sum(PANEL_WIDTH * share + 0.65 for share in heights)
        figure = Figure(figsize=(columns * PANEL_WIDTH + 0.3, height), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        rows = np.atleast_1d(figure.subfigures(len(entries), 1, height_ratios=[share + 0.14 for share in heights]))
        for row, entry, panels in zip(rows, entries, pictures, strict=True):
            row.suptitle(entry.title, weight="bold")
            axes = np.atleast_1d(row.subplots(1, columns))
            for axis in axes:
                axis.set_axis_off()
            for axis, (label, picture) in zip(axes, panels.items(), strict=False):
                axis.imshow(picture, interpolation="nearest")
                axis.set_title(label)
    return figure


def write_figure5(entries: Sequence[SampleBlock], out_stem: Path) -> list[Path]:
    """Write `<out_stem>.png` and `<out_stem>.pdf`, the same bytes for the same images.

    Args:
        entries: one per run, in the order of the rows.
        out_stem: path without suffix; its folder is made.

    Returns:
        The two files.
    """
    with own_settings():
        return save_figure(draw_figure5(entries), out_stem)
