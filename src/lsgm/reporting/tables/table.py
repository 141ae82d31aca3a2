"""A finished table and its files: csv for machines, Markdown and LaTeX (booktabs) for people, a page for the report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from lsgm.reporting.formats.html_page import bullets, grid, numbered, page
from lsgm.reporting.formats.latex import latex_table
from lsgm.reporting.formats.markdown import markdown_table
from lsgm.reporting.records.runs import Run
from lsgm.whole_file import write_text_whole

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class Table:
    """One table of the paper with our numbers beside the paper's, or one of ours alone.

    Attributes:
        number: 2 to 6; None: the paper has no such table.
        title: what the table shows.
        data: one row per row (cell) of the paper: numbers as numbers, and of each number of ours the data, the unit,
            what was scaled down, and the metrics file that it was read from.
        display: the table as people read it: text, with column labels of several levels.
        notes: what stands below it: on the table as a whole.
        run_notes: what stands below it: one per run, numbered from 1 where `display` has a column of note numbers.
        sources: the metrics files, as the notes name them; in Markdown they become links.
        label: by which LaTeX refers to a table without a number.
    """

    number: int | None
    title: str
    data: DataFrame
    display: DataFrame
    notes: tuple[str, ...]
    run_notes: tuple[str, ...]
    sources: tuple[str, ...] = ()
    label: str = "extra"

    @property
    def caption(self) -> str:
        """Number and title."""
        return self.title if self.number is None else f"Table {self.number}: {self.title}"

    @property
    def csv(self) -> str:
        """The csv file: RFC 4180 with `\\n`, UTF-8."""
        return self.data.to_csv(index=False, lineterminator="\n")

    def markdown(self, folder: Path) -> str:
        """The Markdown file, notes included, as it lies in `folder`: links to metrics files are relative to it."""
        links = {source: quote(Path(os.path.relpath(source, folder)).as_posix(), safe="/+") for source in self.sources}
        return markdown_table(self.caption, self.display, self.notes, self.run_notes, links)

    @property
    def latex(self) -> str:
        """The LaTeX file: one `table` environment that needs the package booktabs, notes included."""
        caption = f"{self.title}." + ("" if self.number is None else f" Table {self.number} of the paper.")
        return latex_table(caption, f"tab:lsgm{self.number or self.label}", self.display, self.notes, self.run_notes)

    @property
    def html(self) -> str:
        """The page for the report, notes included."""
        table = grid(list(self.display.columns), self.display.to_numpy().tolist())
        return page(self.caption, table, bullets(self.notes), numbered(self.run_notes))


def sources_of(runs: Sequence[Run]) -> tuple[str, ...]:
    """All metrics files of these runs."""
    return tuple(source for run in runs for source in run.sources)


def write_table(table: Table, out_stem: Path) -> list[Path]:
    """Write `<out_stem>.csv`, `.md` and `.tex`, each whole or not at all.

    Args:
        table: what to write.
        out_stem: path without suffix, such as `results/demo/tables/table2`; its folder is made.

    Returns:
        The three files.
    """
    out_stem.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, text in ((".csv", table.csv), (".md", table.markdown(out_stem.parent)), (".tex", table.latex)):
        path = out_stem.with_name(out_stem.name + suffix)
        write_text_whole(path, text)
        written.append(path)
    return written
