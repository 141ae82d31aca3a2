"""The table of the axes that the paper does not have: each run of `config/axes.yaml` beside the run with the change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lsgm.config import ConfigError
from lsgm.config.axes import Axis
from lsgm.reporting.columns.headings import UNKNOWN_FRECHET, frechet_title, seeds_words
from lsgm.reporting.columns.numbers import our_number
from lsgm.reporting.columns.placement import number_fields
from lsgm.reporting.columns.trace import trace
from lsgm.reporting.notes.table_notes import notes_on_runs, run_notes
from lsgm.reporting.paper.tables import Column
from lsgm.reporting.records.runs import IsCurrent, Run, read_run, unknown

from .table import Table, sources_of

if TYPE_CHECKING:
    from pandas import DataFrame

TITLE = "Ablation along axes that the paper does not have (all numbers ours)"
COLUMNS: tuple[Column, ...] = ("nelbo", "nll", "fid")
Pair = tuple[str, str, Run, Run]  # name of the axis, the run's name, the run as it is, the run with the change


def build_extra_table(
    axes: Mapping[str, Axis], metrics: Mapping[str, Sequence[Path]], is_current: IsCurrent = unknown
) -> Table:
    """Set each run beside the run with the change, one row per measure.

    Args:
        axes: the axes with their runs, in the order of the table.
        metrics: run -> its metrics files, one per seed.
        is_current: tells whether metrics were made with the present settings; None where it cannot.

    Raises:
        ConfigError: a metrics file is absent or damaged or belongs to another run, a run is missing, or one that no
            axis names.
    """
    wanted = [(name, run, f"{run}+{name}") for name, axis in axes.items() for run in axis.runs]
    names = list(dict.fromkeys(run for _, *pair in wanted for run in pair))
    for name in (*names, *metrics):
        if (name in metrics) != (name in names):
            problem = "is missing" if name in names else "is in no axis"
            raise ConfigError(f"table of extra axes: the run {name!r} {problem}; it shows: {', '.join(names)}")
    runs = {name: read_run(name, metrics[name], is_current) for name in names}
    for name, run in runs.items():
        if run.metrics.run != name:
            raise ConfigError(f"{run.sources[0]}: holds the metrics of {run.metrics.run!r}, not of {name!r}")
    pairs = [(name, base, runs[base], runs[variant]) for name, base, variant in wanted]
    order = list(runs.values())
    return Table(
        number=None,
        title=TITLE,
        data=_data(axes, pairs),
        display=_display(axes, pairs, names),
        notes=tuple(notes_on_runs(None, order)) if order else ("No axis of config/axes.yaml names a run.",),
        run_notes=tuple(run_notes(None, order)),
        sources=sources_of(order),
    )


def _display(axes: Mapping[str, Axis], pairs: list[Pair], names: list[str]) -> DataFrame:
    import pandas as pd

    rows = []
    for name, base, *both in pairs:
        axis, notes = axes[name], [str(names.index(run.name) + 1) for run in both]
        lead = [axis.title, f"{base} ({', '.join(notes)})"]
        for title, column in _measures(both):
            texts = [_text(run, title, column) for run in both]
            rows.append([*lead, title, axis.base, texts[0], axis.variant, texts[1]])
            lead = ["", ""]
    labels = ["axis", "run (notes)", "measure", "as it is", "ours", "changed", "ours"]
    groups = ["", "", "", "run as it is", "run as it is", "with the change", "with the change"]
    labels[3] = labels[5] = "setting"
    return pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples(zip(groups, labels, strict=True)), dtype=object)


def _data(axes: Mapping[str, Axis], pairs: list[Pair]) -> DataFrame:
    """One row per run of a pair: the same run may stand in several."""
    import pandas as pd

    has_seeds = any(len(run.seeds) > 1 for _, _, *both in pairs for run in both)
    records = []
    for name, base, *both in pairs:
        for run, setting in zip(both, (axes[name].base, axes[name].variant), strict=True):
            record: dict[str, object] = {"axis": name, "axis_title": axes[name].title, "run": base, "setting": setting}
            for title, column in _measures([run]):
                record |= number_fields(title, our_number(run, column), column, has_seeds)
            records.append(record | trace(run, None))
    return pd.DataFrame(records, dtype=object).fillna("")


def _measures(runs: Sequence[Run]) -> list[tuple[str, Column]]:
    """What was measured on any of the runs; of those that diverged the Fréchet distance at least is missing."""
    found = {}
    for column in COLUMNS:
        titles = dict.fromkeys(title for run in runs if (title := _title(run, column)) is not None)
        if not titles and column == "fid":
            titles = {UNKNOWN_FRECHET: None}
        found |= {title: column for title in titles}
    return list(found.items())


def _text(run: Run, title: str, column: Column) -> str:
    """The number under this title; where the run was measured in another way, it has a row of its own."""
    own = _title(run, column)
    return our_number(run, column).text if own in (title, None) else "-"


def _title(run: Run, column: Column) -> str | None:
    for metrics in (seed.metrics for seed in run.seeds):
        measured = {"nelbo": metrics.nelbo, "nll": metrics.nll}.get(column)
        if measured is not None:
            return f"{column.upper()} ({measured.unit}){seeds_words(run)}"
        if column == "fid" and metrics.frechet is not None:
            return frechet_title(metrics.frechet) + seeds_words(run)
    return None
