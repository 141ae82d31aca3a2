"""Table 6: the ablation grid. Printed as in the paper, rows SDE by measure, columns weighting by time sampling."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lsgm.config import Cell, ConfigError
from lsgm.reporting.columns.numbers import DIVERGED, NOT_APPLICABLE, NOTHING, OurNumber, paper_text
from lsgm.reporting.columns.placement import OurColumn, Placement, paper_fields, place
from lsgm.reporting.columns.trace import trace
from lsgm.reporting.notes.ordering_notes import ordering_notes
from lsgm.reporting.notes.table_notes import run_notes, table_notes, table_title
from lsgm.reporting.paper.tables import Column, PaperTable
from lsgm.reporting.records.runs import Run

from .table import Table, sources_of

if TYPE_CHECKING:
    from pandas import DataFrame

SDE_NAMES = {"geometric": "Geometric VPSDE", "vpsde": "VPSDE"}
Q_NAMES = {"rew": "rew.", "ll": "r_ll"}
AXES = ("SGM weighting", "t-sampling, SGM", "t-sampling, q")


class Footnotes:
    """Letters for reasons, in order of appearance; one reason has one letter."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def mark(self, text: str, reason: str | None) -> str:
        """Append the letter of `reason` to `text`."""
        if not reason:
            return text
        if reason not in self.reasons:
            self.reasons.append(reason)
        return f"{text} [{_letter(self.reasons.index(reason))}]"

    @property
    def notes(self) -> list[str]:
        """One note per reason."""
        return [f"[{_letter(index)}] {reason}" for index, reason in enumerate(self.reasons)]


def build_ablation_table(paper: PaperTable, cells: dict[str, Cell], runs: dict[str, Run]) -> Table:
    """Set our cells beside the paper's.

    Args:
        paper: Table 6.
        cells: the grid, in the order of its file.
        runs: cell name -> run; cells without a run show "-", those that do not exist "n/a".

    Returns:
        The table; `display` has the labels (weighting, t of the SGM objective, t of the q objective).

    Raises:
        ConfigError: the grids of the paper's file and of the table of cells differ, a run measured a cell that does not
            exist, or a number is in another unit than the table.
    """
    _check_grid(paper, cells, runs)
    order = [runs[name] for name in cells if name in runs]
    placement = _with_reasons(place(paper, order), cells)
    footnotes = Footnotes()
    display = _display(paper, cells, runs, placement, footnotes)
    return Table(
        number=paper.table,
        title=table_title(paper, order),
        data=_data(paper, cells, runs, placement),
        display=display,
        notes=(*table_notes(paper, order), *_not_run(cells, runs), *ordering_notes(paper, order), *footnotes.notes),
        run_notes=tuple(run_notes(paper, order)),
        sources=sources_of(order),
    )


def _check_grid(paper: PaperTable, cells: dict[str, Cell], runs: dict[str, Run]) -> None:
    difference = set(paper.runs) ^ set(cells)
    if difference:
        raise ConfigError(f"the cells of table 6 and of the ablation grid differ: {', '.join(sorted(difference))}")
    for name, run in runs.items():
        if cells[name].not_applicable and run.metrics.status != "not_applicable":
            raise ConfigError(
                f"{run.sources[0]}: status is {run.metrics.status!r}, but the cell {name} does not exist "
                f"({cells[name].not_applicable})"
            )


def _with_reasons(placement: Placement, cells: dict[str, Cell]) -> Placement:
    """Cells that do not exist are n/a in every column of ours, whether they were asked for or not."""
    numbers = dict(placement.numbers)
    for name, cell in cells.items():
        if cell.not_applicable:
            numbers |= {(name, column): OurNumber(None, status="not_applicable") for column in placement.columns}
    return replace(placement, numbers=numbers)


def _not_run(cells: dict[str, Cell], runs: dict[str, Run]) -> list[str]:
    """One note on the cells that exist and that nobody ran; none where no cell was run at all."""
    existing = [name for name, cell in cells.items() if not cell.not_applicable]
    absent = [name for name in existing if name not in runs]
    if not runs or not absent:
        return []
    were = "was" if len(absent) == 1 else "were"
    return [f"{len(absent)} of the {len(existing)} cells that exist {were} not run ({NOTHING}): {', '.join(absent)}."]


def _display(
    paper: PaperTable, cells: dict[str, Cell], runs: dict[str, Run], placement: Placement, footnotes: Footnotes
) -> DataFrame:
    import pandas as pd

    keys = list(dict.fromkeys((cell.weighting, cell.time, cell.q_time) for cell in cells.values()))
    by_position = {(cell.sde, cell.weighting, cell.time, cell.q_time): cell for cell in cells.values()}
    printed = {entry.cell: entry for entry in paper.cells}

    def ours(cell: Cell | None, column: OurColumn) -> str:
        return (
            "" if cell is None else _our_text(cell, runs.get(cell.name), placement.number(cell.name, column), footnotes)
        )

    rows = []
    for sde in dict.fromkeys(cell.sde for cell in cells.values()):
        grid = [by_position.get((sde, *key)) for key in keys]
        for measure, title in paper.columns.items():
            texts = [paper_text(printed[cell.name].number(measure)) if cell else "" for cell in grid]
            rows.append([SDE_NAMES.get(sde, sde), title, "paper", *texts])
            for column in _beside(placement, measure):
                texts = [ours(cell, column) for cell in grid]
                rows.append([SDE_NAMES.get(sde, sde), column.heading.measure, column.heading.data, *texts])
    labels = [("", "", "SDE"), ("", "", "measure"), AXES]
    labels += [(f"w_{weighting}", _time_name(weighting, time), Q_NAMES.get(q, q)) for weighting, time, q in keys]
    return pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples(labels), dtype=object)


def _our_text(cell: Cell, run: Run | None, number: OurNumber, footnotes: Footnotes) -> str:
    reason = run.reason if run is not None else None
    if number.text == NOT_APPLICABLE:
        return footnotes.mark(number.text, f"{NOT_APPLICABLE}: {cell.not_applicable or reason}")
    if number.text == DIVERGED or (number.spread is not None and number.spread.num_diverged):
        return footnotes.mark(number.text, f"{DIVERGED}: {reason}")
    return number.text


def _beside(placement: Placement, measure: Column) -> list[OurColumn]:
    return [column for column in placement.columns if column.beside == measure]


def _time_name(weighting: str, time: str) -> str:
    return "U[0,1]" if time == "uniform" else f"r_{weighting}"


def _letter(index: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[index % 26] * (1 + index // 26)


def _data(paper: PaperTable, cells: dict[str, Cell], runs: dict[str, Run], placement: Placement) -> DataFrame:
    import pandas as pd

    printed = {entry.cell: entry for entry in paper.cells}
    records = []
    for name, cell in cells.items():
        record: dict[str, object] = {
            "cell": name,
            "sde": cell.sde,
            "weighting": cell.weighting,
            "time": cell.time,
            "q_time": cell.q_time,
            "not_applicable": cell.not_applicable,
        }
        record |= paper_fields(printed[name], paper) | placement.fields(name) | trace(runs.get(name), paper)
        records.append(record)
    return pd.DataFrame(records, dtype=object).fillna("")
