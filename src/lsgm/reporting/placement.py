"""Where the numbers of all runs of one table stand: the same for its csv file and for its printed form."""

from __future__ import annotations

from dataclasses import dataclass

from .headings import OURS, Heading, heading
from .notes import Run
from .numbers import OurNumber, our_number
from .paper import Column, PaperCell, PaperRow, PaperTable


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
        """Fields of the csv file: value, standard error and bound for each column of ours."""
        record: dict[str, object] = {}
        for column in self.columns:
            number = self.number(run, column)
            record[str(column.heading)] = number.field
            if column.beside != "fid":
                record[f"{column.heading}, standard error"] = "" if number.stderr is None else number.stderr
            if column.beside == "nll":
                record[f"{column.heading}, bound"] = "<=" if number.is_bound else ""
        return record


def place(paper: PaperTable, runs: list[Run]) -> Placement:
    """Give every number of every run its column: plain "ours" first, then by data in order of appearance.

    Raises:
        ConfigError: a number is in another unit than the table.
    """
    everything = [run.metrics for run in runs]
    numbers = {}
    for run in runs:
        for column in paper.columns:
            title = heading(run.metrics, column, paper, everything)
            numbers[run.name, OurColumn(column, title)] = our_number(run.metrics, column, paper, run.source)
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
