"""What a scale makes of the paper: the keys `tables`, `cells` and `figures` of its file. Without them, everything."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import Field

from .base import ConfigError, Section
from .load import read_yaml, validate

ABLATION_TABLE = 6
TABLES = (2, 3, 4, 5, ABLATION_TABLE)
EXTRA_TABLE = "extra"  # the table of the axes that the paper does not have
ALL_TABLES = (*TABLES, EXTRA_TABLE)
TableName = Literal[2, 3, 4, 5, 6, "extra"]
FigureName = Literal["figure4", "figure5", "samplers", "variance", "sampling_cost"]


class Scope(Section):
    """The keys of a scale file that say which tables it makes, which cells of Table 6, and of which runs figures."""

    tables: tuple[TableName, ...] | None = Field(None, min_length=1, description="tables that the scale makes")
    cells: tuple[str, ...] | None = Field(
        None, min_length=1, description="cells of Table 6 that it runs, by name or pattern, such as vpsde-*"
    )
    figures: dict[FigureName, tuple[str, ...]] = Field(
        default_factory=dict, description="runs in a figure; of one that is not named here, the workflow's own choice"
    )

    @property
    def made(self) -> tuple[TableName, ...]:
        """The tables that the scale makes, in their order."""
        return tuple(table for table in ALL_TABLES if self.tables is None or table in self.tables)

    def chosen(self, cells: Sequence[str], source: str) -> list[str]:
        """Those of these cells that the scale runs, in their order.

        Args:
            cells: names of all cells that exist.
            source: where the key `cells` stands, for messages.

        Raises:
            ConfigError: a name or pattern that no cell has.
        """
        if self.cells is None:
            return list(cells)
        for pattern in self.cells:
            if not any(fnmatchcase(cell, pattern) for cell in cells):
                raise ConfigError(f"{source}: cells has {pattern!r}, which is no cell; there are: {', '.join(cells)}")
        return [cell for cell in cells if any(fnmatchcase(cell, pattern) for pattern in self.cells)]


def read_scope(scale: Path) -> Scope:
    """Read what one scale makes.

    Raises:
        ConfigError: the file cannot be read, or has an unknown table.
    """
    tree = read_yaml(scale)
    return validate(Scope, {key: tree[key] for key in Scope.model_fields if key in tree}, str(scale))
