"""Where the numbers of all runs of one table stand: the same for its csv file and for its printed form."""

from __future__ import annotations

from dataclasses import dataclass

from lsgm.reporting.paper.tables import Column, PaperCell, PaperRow, PaperTable
from lsgm.reporting.records.runs import Run

from .headings import OURS, Heading, heading
from .numbers import DIVERGED, NOTHING, OurNumber, our_number
from .spread import Spread


@dataclass(frozen=True)
class OurColumn:
    """One column of ours, beside one column of the paper."""

    beside: Column
    heading: Heading


@dataclass(frozen=True)
class Placement:
    """Columns of ours, in printing order, and the number of each run in each of them."""

    columns: tuple[OurColumn, ...]
    numbers: dict[tuple[str, OurColumn], OurNumber]

    def number(self, run: str | None, column: OurColumn) -> OurNumber:
        """The number of one run in one column; an empty one where it has none there."""
        return self.numbers.get((run or "", column), OurNumber(None))

    def fields(self, run: str | None) -> dict[str, object]:
        """Fields of the csv file: value, standard error, bound and spread over seeds for each column of ours."""
        record: dict[str, object] = {}
        for column in self.columns:
            number = self.number(run, column)
            has_seeds = any(other.spread for (_, place), other in self.numbers.items() if place == column)
            record |= number_fields(str(column.heading), number, column.beside, has_seeds)
        return record


def number_fields(heading: str, number: OurNumber, column: Column, has_seeds: bool) -> dict[str, object]:
    """Fields of the csv file for one number.

    Args:
        heading: name of the field with the number itself; those of the others begin with it.
        number: the number.
        column: what it is; a Fréchet distance has no standard error, and only an NLL can be a bound.
        has_seeds: whether to add what several seeds give.
    """
    record: dict[str, object] = {heading: number.field}
    if column != "fid":
        record[f"{heading}, standard error"] = "" if number.stderr is None else number.stderr
    if column == "nll":
        record[f"{heading}, bound"] = "<=" if number.is_bound else ""
    if has_seeds:
        spread = number.spread or Spread((), 0)
        empty = DIVERGED if spread.num_diverged else NOTHING
        record[f"{heading}, standard deviation over seeds"] = "" if spread.deviation is None else spread.deviation
        record[f"{heading}, seeds"] = len(spread.values) or ""
        record[f"{heading}, seeds diverged"] = spread.num_diverged if spread.values else ""
        record[f"{heading}, each seed"] = "; ".join(empty if v is None else repr(v) for v in spread.values)
    return record


def place(paper: PaperTable, runs: list[Run]) -> Placement:
    """Give every number of every run its column: plain "ours" first, then by data in order of appearance.

    Raises:
        ConfigError: a number is in another unit than the table.
    """
    numbers = {}
    for run in runs:
        for column in paper.columns:
            title = heading(run, column, paper, runs)
            numbers[run.name, OurColumn(column, title)] = our_number(run, column, paper)
    found = list(dict.fromkeys(column for _, column in numbers))
    data = sorted(dict.fromkeys(column.heading.data for column in found), key=lambda name: name != OURS)
    order = list(paper.columns)
    found.sort(key=lambda column: (data.index(column.heading.data), order.index(column.beside)))
    return Placement(tuple(found), numbers)


def paper_fields(entry: PaperRow | PaperCell, paper: PaperTable) -> dict[str, object]:
    """Fields of the csv file for the paper's numbers: value, bound and how sure it is, for each column."""
    record: dict[str, object] = {}
    for column, title in paper.columns.items():
        printed = entry.number(column)
        record[f"paper: {title}"] = "" if printed is None else printed.value
        if column == "nll":
            record[f"paper: {title}, bound"] = "" if printed is None else printed.bound or ""
        record[f"paper: {title}, source"] = "" if printed is None else printed.mark
    return record
