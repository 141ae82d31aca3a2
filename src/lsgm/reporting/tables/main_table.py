"""Tables 2 to 5: one row per method, the paper's columns, then ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsgm.config import ConfigError
from lsgm.reporting.columns.numbers import paper_text
from lsgm.reporting.columns.placement import Placement, paper_fields, place
from lsgm.reporting.columns.trace import trace
from lsgm.reporting.notes.table_notes import run_notes, table_notes, table_title
from lsgm.reporting.paper.tables import PaperRow, PaperTable
from lsgm.reporting.records.runs import Run

from .table import Table, sources_of

if TYPE_CHECKING:
    from pandas import DataFrame

CITATIONS = (
    "Numbers in brackets after a method are the paper's citations; the last column numbers the notes on our runs."
)


def build_main_table(paper: PaperTable, runs: dict[str, Run]) -> Table:
    """Set our runs beside the paper's rows.

    Args:
        paper: one of Tables 2 to 5.
        runs: run name -> run; rows without a run show "-".

    Returns:
        The table; `display` has the labels (group, column).

    Raises:
        ConfigError: a run is of the wrong kind, or a number is in another unit than the table.
    """
    for row in paper.rows:
        if row.run in runs and runs[row.run].metrics.kind != row.kind:
            source, kind = runs[row.run].sources[0], runs[row.run].metrics.kind
            raise ConfigError(f"{source}: kind is {kind!r}, the row {row.method!r} wants {row.kind!r}")
    order = [runs[name] for name in paper.runs if name in runs]
    placement = place(paper, order)
    return Table(
        number=paper.table,
        title=table_title(paper, order),
        data=_data(paper, runs, placement),
        display=_display(paper, order, placement),
        notes=(*table_notes(paper, order), CITATIONS),
        run_notes=tuple(run_notes(paper, order)),
        sources=sources_of(order),
    )


def _display(paper: PaperTable, order: list[Run], placement: Placement) -> DataFrame:
    import pandas as pd

    labels = [("", "category"), ("", "method")]
    labels += [("paper", title) for title in paper.columns.values()]
    labels += [(column.heading.data, column.heading.measure) for column in placement.columns]
    labels += [("", "note")]
    number_of = {run.name: str(number) for number, run in enumerate(order, start=1)}
    rows, category = [], None
    for row in paper.rows:
        cells = ["" if row.category == category else row.category, _method(row)]
        cells += [paper_text(row.number(column)) for column in paper.columns]
        cells += [placement.number(row.run, column).text for column in placement.columns]
        cells += [number_of.get(row.run or "", "")]
        rows.append(cells)
        category = row.category
    return pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples(labels), dtype=object)


def _method(row: PaperRow) -> str:
    if not row.in_paper:
        return f"{row.method} (not in the paper)"
    return row.method if row.ref is None else f"{row.method} [{row.ref}]"


def _data(paper: PaperTable, runs: dict[str, Run], placement: Placement) -> DataFrame:
    import pandas as pd

    records = []
    for row in paper.rows:
        record: dict[str, object] = {
            "category": row.category,
            "method": row.method,
            "reference": "" if row.ref is None else row.ref,
            "in_paper": "yes" if row.in_paper else "no",
        }
        record |= paper_fields(row, paper) | placement.fields(row.run) | trace(runs.get(row.run or ""), paper)
        records.append(record)
    return pd.DataFrame(records, dtype=object).fillna("")
