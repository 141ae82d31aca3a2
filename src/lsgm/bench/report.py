"""The outcome of a benchmark run: one JSON document, and a Markdown table for each benchmark."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from .row import Row
from .suite import BENCHMARKS

FORMAT = 1
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
class Report:
    """What was measured, and where.

    Attributes:
        machine: facts about machine, software and this run, by name.
        rows: measurements.
    """

    machine: Mapping[str, object]
    rows: Sequence[Row]

    def json(self) -> str:
        """The document as JSON; numbers that are not finite as text."""
        content = {"format": FORMAT, "machine": dict(self.machine), "rows": [_plain(asdict(row)) for row in self.rows]}
        return json.dumps(content, indent=1, allow_nan=False) + "\n"

    def markdown(self) -> str:
        """All tables, below the facts about the machine."""
        facts = [f"- {name.replace('_', ' ')}: {_fact(value)}" for name, value in self.machine.items()]
        lines = [TITLE, "", PREFACE, "", *facts]
        for name in dict.fromkeys(row.name for row in self.rows):
            lines += ["", *self._table(name)]
        return "\n".join(lines) + "\n"

    def _table(self, name: str) -> list[str]:
        benchmark = BENCHMARKS[name]
        rows = [row for row in self.rows if row.name == name]
        used = [column for column in COLUMNS if any(_is_given(getattr(row, column)) for row in rows)]
        heads = COLUMNS | benchmark.columns
        cells = [["case", *(heads[column] for column in used)], ["---"] * (len(used) + 1)]
        cells += [[row.case, *(_cell(column, getattr(row, column)) for column in used)] for row in rows]
        return [f"## {benchmark.title}", "", benchmark.compares, "", *_pipes(cells)]


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
