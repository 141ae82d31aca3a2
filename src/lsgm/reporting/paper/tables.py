"""The paper's numbers, read from `config/paper/tableN.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from lsgm.config import ConfigError, Section, read_yaml, validate
from lsgm.reporting.records.metrics import Unit

Column = Literal["nll", "nelbo", "fid"]


class PaperNumber(Section):
    """One number as the paper prints it, with a mark that says how sure it is (legend: `marks` of the table)."""

    value: float | Literal["n/a", "NaN"]
    bound: Literal["<="] | None = None
    mark: str


class PaperRow(Section):
    """One row of Tables 2 to 5. Rows with a `run` are those that we can set a number beside."""

    category: str
    method: str
    ref: int | None = Field(None, description="citation number in the paper")
    run: str | None = Field(None, description="experiment that gives our number")
    kind: Literal["vae", "lsgm"] = Field("lsgm", description="what that experiment must be")
    in_paper: bool = Field(True, description="false: a row of ours that the paper's table lacks")
    nll: PaperNumber | None = None
    nelbo: PaperNumber | None = None
    fid: PaperNumber | None = None

    def number(self, column: Column) -> PaperNumber | None:
        """The paper's number in one column, None for "-"."""
        return getattr(self, column)


class PaperCell(Section):
    """One cell of Table 6, named as in `config/ablation.csv`."""

    cell: str
    fid: PaperNumber
    nelbo: PaperNumber

    def number(self, column: Column) -> PaperNumber:
        """The paper's number in one column."""
        return getattr(self, column)


class PaperTable(Section):
    """One table of the paper: `rows` (Tables 2 to 5) or `cells` (Table 6)."""

    table: Literal[2, 3, 4, 5, 6]
    title: str
    source: str
    data: str = Field(description="the paper's data set, as in data.name")
    unit: Unit = Field(description="unit of nll and nelbo")
    columns: dict[Column, str] = Field(description="columns in the paper's order, with their titles")
    marks: dict[str, str]
    remarks: tuple[str, ...] = ()
    rows: tuple[PaperRow, ...] = ()
    cells: tuple[PaperCell, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> PaperTable:
        if (self.table == 6) != bool(self.cells) or bool(self.cells) == bool(self.rows):
            raise ValueError("table 6 has `cells`, the others have `rows`")
        for entry in (*self.rows, *self.cells):
            for column in self.columns:
                number = entry.number(column)
                if number is not None and number.mark not in self.marks:
                    raise ValueError(f"mark {number.mark!r} is not explained under `marks`")
        if len(set(self.runs)) != len(self.runs):
            raise ValueError("a run stands in two rows")
        return self

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of the experiments, or cells, that can stand in this table, in its order."""
        return tuple(cell.cell for cell in self.cells) + tuple(row.run for row in self.rows if row.run is not None)


def read_paper_table(path: Path, number: int) -> PaperTable:
    """Read one table of the paper.

    Raises:
        ConfigError: absent or damaged file, or one of another table.
    """
    table = validate(PaperTable, read_yaml(path), str(path))
    if table.table != number:
        raise ConfigError(f"{path}: holds table {table.table}, not table {number}")
    return table
