"""The cells of Table 6: names, settings, and which of them do not exist.

A name is `<sde>-<weighting>-<time>-<q_time>`, for example `vpsde-un-is-rew`. The file `config/ablation.csv` holds the
grid; its column `not_applicable` says why a cell does not exist, and is empty for those that do.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .base import ConfigError
from .text_files import MAX_YAML_BYTES, read_text

NAME = re.compile(r"[a-z]+(-[a-z]+){3}")
COLUMNS = ("cell", "sde", "weighting", "time", "q_time", "not_applicable")

# The geometric SDE starts at its smallest variance and needs no cut-off; the linear one needs it.
SDE_SETTINGS: dict[str, dict[str, Any]] = {
    "vpsde": {"type": "vpsde", "beta_start": 0.1, "beta_end": 20.0, "sigma2_0": 0.0, "time_eps": 0.01},
    "geometric": {"type": "geometric", "sigma2_min": 3.0e-5, "sigma2_max": 0.999, "sigma2_0": 3.0e-5, "time_eps": 0.0},
}


@dataclass(frozen=True)
class Cell:
    """One cell of the ablation grid."""

    name: str
    sde: str
    weighting: str
    time: str
    q_time: str
    not_applicable: str

    @property
    def settings(self) -> dict[str, Any]:
        """The part of an experiment's settings that this cell decides."""
        objective = {"weighting": self.weighting, "time": self.time, "q_time": self.q_time}
        return {"cell": self.name, "sde": dict(SDE_SETTINGS[self.sde]), "objective": objective}


def read_cells(table: Path) -> dict[str, Cell]:
    """Read the grid, in the order of the file.

    Raises:
        ConfigError: the file is absent, lacks a column, or a name does not match its settings.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(table, MAX_YAML_BYTES), newline="")))
    except FileNotFoundError:
        raise ConfigError(f"{table}: no such file; it holds the cells of Table 6") from None
    except csv.Error as error:
        raise ConfigError(f"{table}: not a table in csv ({error}); correct it") from None
    cells = {}
    for number, row in enumerate(rows, start=2):
        missing = [column for column in COLUMNS if row.get(column) is None]
        if missing:
            raise ConfigError(f"{table} line {number}: column {missing[0]!r} is missing")
        cell = Cell(*(row[column] for column in COLUMNS))
        # The name becomes that of a folder.
        if (
            not NAME.fullmatch(cell.name)
            or cell.name != f"{cell.sde}-{cell.weighting}-{cell.time}-{cell.q_time}"
            or cell.sde not in SDE_SETTINGS
        ):
            raise ConfigError(f"{table} line {number}: the name {cell.name!r} does not match the row's settings")
        if cell.name in cells:
            raise ConfigError(f"{table} line {number}: the cell {cell.name!r} is there twice; remove one")
        cells[cell.name] = cell
    return cells


def cell_overrides(table: Path, name: str) -> dict[str, Any]:
    """Settings of one cell that exists.

    Raises:
        ConfigError: no such cell (the message lists those that there are), or one that the table marks n/a.
    """
    cells = read_cells(table)
    if name not in cells:
        known = [cell.name for cell in cells.values() if not cell.not_applicable]
        raise ConfigError(f"{name!r} is not a cell of {table}; there are: {', '.join(known)}")
    if cells[name].not_applicable:
        raise ConfigError(f"cell {name!r} does not exist: {cells[name].not_applicable}")
    return cells[name].settings
