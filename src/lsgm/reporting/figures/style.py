"""What all figures share: sizes for a two-column paper, fonts, the footer that says what a figure was made from, files.

Nothing is written below 7 points, and the same numbers give the same bytes.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lsgm.whole_file import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lsgm.reporting.records.figure_measurements import FigureMeasurement

COLUMN_WIDTH = 3.3  # inches
PAGE_WIDTH = 6.8  # inches, both columns
SMALL, NORMAL = 7.0, 8.0  # points
DPI = 300
CHARACTERS_PER_INCH = 18  # of small type
POINTS_PER_INCH = 72

# One colour per distribution of times, the same in every figure.
TIMES = {"uniform": "uniform", "ll": r"$r_{\mathrm{ll}}$", "un": r"$r_{\mathrm{un}}$", "re": r"$r_{\mathrm{re}}$"}
WEIGHTINGS = {"ll": r"$w_{\mathrm{ll}}$", "un": r"$w_{\mathrm{un}}$", "re": r"$w_{\mathrm{re}}$"}


@contextmanager
def paper_style() -> Iterator[None]:
    """Draw and save within this block. The style is seaborn's, from matplotlib's copy, which loads in half the time."""
    from matplotlib import style

    sizes = {"font.size": NORMAL, "axes.titlesize": NORMAL, "axes.labelsize": NORMAL, "figure.titlesize": NORMAL}
    small = dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), SMALL)
    thin = {"axes.linewidth": 0.6, "grid.linewidth": 0.4, "patch.linewidth": 0.6}
    lines = {"lines.linewidth": 1.2, "lines.markersize": 3.5, "xtick.major.pad": 3.0, "ytick.major.pad": 2.0}
    legend = {"legend.frameon": True, "legend.edgecolor": "none", "legend.borderpad": 0.3}
    font = {"font.sans-serif": ["DejaVu Sans"]}  # comes with matplotlib: the same bytes on every machine
    with own_settings(), style.context(["seaborn-v0_8-whitegrid", sizes | small | thin | lines | legend | font]):
        yield


@contextmanager
def own_settings() -> Iterator[None]:
    """Inside the block, matplotlib has its own defaults and not the user's; outside, the user's are as they were."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


def palette() -> list[str]:
    """Colours that are told apart by everyone, one per line of a plot."""
    from matplotlib import style

    return style.library["seaborn-v0_8-colorblind"]["axes.prop_cycle"].by_key()["color"]


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches; its parts find their places without overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def time_colours() -> dict[str, str]:
    """Colour of each distribution of times; uniform is gray."""
    return {"uniform": "0.5", **dict(zip(("ll", "un", "re"), palette(), strict=False))}


def letter(axes: Mapping[str, Axes]) -> None:
    """Set titles `(a) ...` on axes, by the text of the title."""
    for character, (title, axis) in zip("abcdefghij", axes.items(), strict=False):
        axis.set_title(f"({character}) {title}", loc="left")


def plain_log(axis: Axes) -> None:
    """Make the y-axis logarithmic, with plain numbers: exponents are set too small. To be called when all is drawn."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    axis.set_yscale("log")
    low, high = axis.get_ylim()
    decades = math.log10(high / low)
    subs = (1.0, 2.0, 5.0) if decades < 1.5 else (1.0, 3.0) if decades < 3 else (1.0,)
    axis.yaxis.set_major_locator(LogLocator(subs=subs) if decades > 0.8 else MaxNLocator(4))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def footer(figure: Figure, text: str) -> None:
    """Write below the figure what it was made from; the figure grows by that."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(text, int(width * CHARACTERS_PER_INCH))
    figure.set_size_inches(width, height + len(lines) * 1.25 * SMALL / POINTS_PER_INCH)
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=SMALL, color="0.35")


def origin_words(scale: str, scaled_down: str | None, data: str, code: str) -> str:
    """What a footer says of a run.

    Args:
        scale: the scale file's name.
        scaled_down: what was made smaller than in the paper; None: nothing.
        data: the data set in words.
        code: the commit in words.
    """
    scaled = f" (scaled down: {scaled_down})" if scaled_down else ""
    return f"scale {scale}{scaled}; data: {data}; {code}."


def measurement_words(measured: Sequence[FigureMeasurement], details: Sequence[str]) -> str:
    """What a footer says of measured runs: where they come from, what is missing, and further sentences, one each."""
    origins, more = {}, {}
    for one, detail in zip(measured, details, strict=True):
        code = commit_words(one.provenance.commit, one.provenance.dirty)
        missing = f" Not complete: {one.reason}." if one.reason else ""
        origins[one.run] = origin_words(one.scale, one.scaled_down, one.data.title, code) + missing
        more[one.run] = detail
    shared = len(set(more.values())) == 1
    return f"{said_once(origins)} {details[0] if shared else said_once(more)}"


def commit_words(commit: str | None, dirty: bool | None) -> str:
    """A commit as a footer names it."""
    if commit is None:
        return "commit unknown"
    return f"commit {commit[:10]}" + (" with uncommitted changes" if dirty else "")


def said_once(words: Mapping[str, str]) -> str:
    """Sentences on runs, by their names, as one text; those of which the same is true share a sentence."""
    runs: dict[str, list[str]] = {}
    for run, sentence in words.items():
        runs.setdefault(sentence, []).append(run)
    return " ".join(f"{', '.join(names)}: {sentence}" for sentence, names in runs.items())


def save_figure(figure: Figure, out_stem: Path) -> list[Path]:
    """Write `<out_stem>.png` and `<out_stem>.pdf`, whole or not at all, without dates.

    Args:
        figure: the figure, with its own resolution.
        out_stem: path without suffix; its folder is made.

    Returns:
        The two files.
    """
    import matplotlib

    out_stem.parent.mkdir(parents=True, exist_ok=True)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # both files as laid out once
    written = []
    for suffix, metadata in ((".png", {"Software": None}), (".pdf", {"CreationDate": None, "Producer": None})):
        path = out_stem.with_name(out_stem.name + suffix)
        save = partial(figure.savefig, format=suffix[1:], dpi=figure.dpi, metadata=metadata)
        # TrueType fonts: publishers refuse the kind that is the default.
        with matplotlib.rc_context({"pdf.fonttype": 42}):
            write_whole(path, save)
        written.append(path)
    return written
