"""The outcome of benchmark runs: one JSON document, and a Markdown table for each benchmark.

A document is kept up to date in parts: benchmarks that are run again replace their rows, the others stay with the facts
of the run that they come from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from lsgm.config import ConfigError

from .row import Row
from .suite import BENCHMARKS

FORMAT = 2
TITLE = "# What training, sampling and likelihoods cost"
PREFACE = (
    "Written by `lsgm bench`. Versions that are compared ran in turns in one process (A B A B ...), and a ratio is the "
    "median over the rounds of the quotient within a round. Absolute times belong to this machine and what else ran on "
    "it: compare ratios."
)
COLUMNS = {
    "seconds": "median",
    "seconds_min": "least",
    "ratio_to_plain": "x plain",
    "gflop": "GFLOP",
    "gflops": "GFLOP/s",
    "ratio_to_floor": "x floor",
    "memory_mb": "peak MB",
    "evaluations": "evaluations",
    "error": "error",
    "bias": "bias",
    "rate": "per second",
    "repeats": "rounds",
    "note": "note",
}
"""Columns of a table in their order, and how they are headed where the benchmark says nothing else."""


@dataclass(frozen=True)
class Run:
    """What was measured in one run, and where.

    Attributes:
        machine: facts about machine, software and this run, by name.
        rows: measurements.
    """

    machine: Mapping[str, object]
    rows: Sequence[Row]

    @property
    def names(self) -> tuple[str, ...]:
        """Benchmarks with rows, in the order of the suite."""
        found = {row.name for row in self.rows}
        return tuple(name for name in BENCHMARKS if name in found)


@dataclass(frozen=True)
class Report:
    """Runs, of which no two have rows of the same benchmark."""

    runs: Sequence[Run]

    def with_run(self, run: Run) -> Report:
        """The report after a further run: of what it measured, only its rows are left."""
        old = [Run(each.machine, [row for row in each.rows if row.name not in run.names]) for each in self.runs]
        return Report([*(each for each in old if each.rows), run])

    def json(self) -> str:
        """The document as JSON; numbers that are not finite as text."""
        runs = [{"machine": dict(run.machine), "rows": [_plain(asdict(row)) for row in run.rows]} for run in self.runs]
        return json.dumps({"format": FORMAT, "runs": runs}, indent=1, allow_nan=False) + "\n"

    def markdown(self) -> str:
        """All tables in the order of the suite, below the facts about the runs."""
        lines = [TITLE, "", PREFACE]
        for run in self.runs:
            if len(self.runs) > 1:
                lines += ["", f"**{', '.join(run.names)}**"]
            lines += ["", *(f"- {name.replace('_', ' ')}: {_fact(value)}" for name, value in run.machine.items())]
        for name in BENCHMARKS:
            if any(name in run.names for run in self.runs):
                lines += ["", *self._table(name)]
        return "\n".join(lines) + "\n"

    def _table(self, name: str) -> list[str]:
        benchmark = BENCHMARKS[name]
        rows = [row for run in self.runs for row in run.rows if row.name == name]
        used = [column for column in COLUMNS if any(_is_given(getattr(row, column)) for row in rows)]
        heads = COLUMNS | benchmark.columns
        cells = [["case", *(heads[column] for column in used)], ["---"] * (len(used) + 1)]
        cells += [[row.case, *(_cell(column, getattr(row, column)) for column in used)] for row in rows]
        return [f"## {benchmark.title}", "", benchmark.compares, "", *_pipes(cells)]


@checked_dataclass(frozen=True)
class _Stored:
    machine: dict[str, object]
    rows: list[Row]


@checked_dataclass(frozen=True)
class _Document:
    format: int
    runs: list[_Stored]


def read_report(path: Path) -> Report:
    """Read a document back; without the file, a report of nothing.

    Raises:
        ConfigError: the file is no such document.
    """
    if not path.exists():
        return Report([])
    try:
        document = TypeAdapter(_Document).validate_json(path.read_bytes())
        known = all(row.name in BENCHMARKS for run in document.runs for row in run.rows)
    except (OSError, ValidationError) as error:
        raise ConfigError(_no_report(path)) from error
    if document.format != FORMAT or not known:
        raise ConfigError(_no_report(path))
    return Report([Run(run.machine, run.rows) for run in document.runs])


def _no_report(path: Path) -> str:
    return f"{path}: is no file that this `lsgm bench` wrote, whose rows could be kept; name another file, or delete it"


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    return {name: str(value) if _is_broken(value) else value for name, value in values.items()}


def _is_broken(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _is_given(value: object) -> bool:
    return value not in (None, "", 0)


def _cell(column: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or (column == "evaluations" and value == int(value)):
        return str(int(value)) if value else "-"
    return _seconds(value) if column.startswith("seconds") else _number(value)


def _seconds(value: float) -> str:
    """A duration with a unit that leaves three digits to read."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1:
            return f"{_number(value * factor)} {unit}"
    return f"{value * 1e6:.2g} µs"


def _number(value: float) -> str:
    """Three digits, or all that are in front of the point."""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    if abs(value) < 1e-3:
        return f"{value:.1e}"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(places, 4)}f}"


def _fact(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return "unknown" if value is None else str(value)


def _pipes(cells: Iterable[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
