"""Training curves of one run, stage 1 or 2, from the file `curves.jsonl` that its training wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lsgm.config import ConfigError
from lsgm.config.text_files import parse_json, read_text

from .style import PAGE_WIDTH, footer, letter, new_figure, palette, paper_style, plain_log, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_BYTES = 2**28
MAX_QUANTITIES = 200
VAE, PRIOR = "VAE", "prior"


@dataclass(frozen=True)
class Panel:
    """One panel: its title, what its axis is called, the labels of its quantities, and the kind of axis."""

    title: str
    axis: str
    lines: Mapping[str, str]
    kind: Literal["linear", "from zero", "logarithmic"] = "linear"


PANELS = (
    Panel("bound", "nats per image", {"nelbo": "NELBO", "reconstruction": "reconstruction"}),
    Panel("Kullback-Leibler term", "nats per image", {"kl": "KL"}),
    Panel("prior's loss", "weighted squared error", {"loss_prior": PRIOR}),
    Panel("gradient norms", "norm before clipping", {"grad_norm_vae": VAE, "grad_norm_prior": PRIOR}, "logarithmic"),
    Panel("active channels", "channels > 0.1 nat", {"active_channels": "all groups"}, "from zero"),
    Panel("learning rates", "rate", {"lr_vae": VAE, "lr_prior": PRIOR}, "logarithmic"),
)
# Pretraining and algorithm 1 have no loss of the prior's own. The annealing stands there instead.
WITHOUT_PRIOR_LOSS = Panel("annealing", "coefficient of KL", {"kl_coeff": "KL coefficient"}, "from zero")


def read_curves(path: Path) -> dict[str, np.ndarray]:
    """Read one curve file.

    Returns:
        Each quantity as a float array (lines,), NaN where nothing was logged; counts per latent group are summed.

    Raises:
        ConfigError: absent, damaged, or without any curve.
    """
    try:
        text = read_text(path, MAX_BYTES)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `lsgm pretrain` and `lsgm train` write it") from None
    try:
        records = [parse_json(line) for line in text.split("\n") if line]
        if not all(isinstance(record, dict) for record in records):
            raise ConfigError("a line without quantities")
        names = list(dict.fromkeys(name for record in records for name in record))
        if len(names) > MAX_QUANTITIES:
            raise ConfigError(f"{len(names)} quantities")
        curves = {name: np.array([_number(record.get(name)) for record in records]) for name in names}
    except ConfigError as error:
        raise ConfigError(f"{path}: not a file of training curves ({error}); train again") from None
    if not {"step", "nelbo"} <= curves.keys():
        raise ConfigError(f"{path}: no training curve in it; train again, for at least one interval log_every")
    if not (curves["step"] >= 0).all():
        raise ConfigError(f"{path}: a line says of no step that has been; train again")
    return curves


def draw_curves(curves: Mapping[str, np.ndarray], title: str, note: str) -> Figure:
    """Draw all panels that the run has quantities for.

    Args:
        curves: from `read_curves`.
        title: of the figure: which run.
        note: what the figure was made from.
    """
    panels = [panel if panel.lines.keys() & curves.keys() else WITHOUT_PRIOR_LOSS for panel in PANELS]
    figure = new_figure(PAGE_WIDTH, 3.4)
    axes = figure.subplots(2, 3, sharex=True).ravel()
    for axis, panel in zip(axes, panels, strict=True):
        _draw_panel(axis, panel, curves)
    _finish_steps(axes, curves["step"][-1])
    letter({panel.title: axis for axis, panel in zip(axes, panels, strict=True)})
    figure.suptitle(title, weight="bold")
    skipped = int(np.nanmax(curves.get("skipped", np.zeros(1))))
    footer(figure, f"{note} Updates left out because something was not finite: {skipped}." if skipped else note)
    return figure


def write_curves(curves: Mapping[str, np.ndarray], title: str, note: str, out_stem: Path) -> list[Path]:
    """Write the figure as png and pdf; arguments as in `draw_curves` and `save_figure`."""
    with paper_style():
        return save_figure(draw_curves(curves, title, note), out_stem)


def _draw_panel(axis: Axes, panel: Panel, curves: Mapping[str, np.ndarray]) -> None:
    drawn: Sequence[str] = [name for name in panel.lines if name in curves]
    few = len(curves["step"]) <= 30
    for name, colour in zip(drawn, palette(), strict=False):
        values = curves[name]
        if panel.kind == "logarithmic":
            values = np.where(values > 0, values, np.nan)
        axis.plot(curves["step"], values, "o-" if few else "-", ms=2, color=colour, label=panel.lines[name])
    if panel.kind == "logarithmic":
        plain_log(axis)
    elif panel.kind == "from zero":
        axis.set_ylim(0, 1.1 * max(1, axis.get_ylim()[1]))
    axis.set_ylabel(panel.axis)
    if len(drawn) > 1:
        axis.legend(handlelength=1.2, labelspacing=0.3)


def _finish_steps(axes: Sequence[Axes], last: float) -> None:
    """Number the steps, which all panels share, from 0 to the last, in thousands where there are many."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    unit = 1000 if last >= 20_000 else 1
    axes[0].set_xlim(0, 1.03 * last)
    axes[0].xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / unit:g}"))
    for axis in axes:
        if axis.get_subplotspec().is_last_row():
            axis.set_xlabel("step" if unit == 1 else "thousand steps")


def _number(value: object) -> float:
    """One entry of a line; a list holds one entry per latent group."""
    if isinstance(value, list):
        return sum(map(_number, value))
    if value is not None and not isinstance(value, (int, float)):
        raise ConfigError(f"{value!r} is no number")
    return float("nan") if value is None else float(value)
