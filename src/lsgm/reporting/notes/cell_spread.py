"""How much the numbers of all cells differ between seeds, and whether the cells differ by more: a two-way layout.

A number is taken as what its cell does, plus what its seed does to every cell (they share the backbone of that seed),
plus a rest of the same standard deviation for all cells. A cell by itself has too few seeds to tell its spread; all of
them together have (cells - 1) (seeds - 1) degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .ordering import CONFIDENCE, CellNumbers


@dataclass(frozen=True)
class CellSpread:
    """What the seeds that all cells have in common say of them.

    Attributes:
        num_cells: cells with these seeds.
        num_seeds: seeds that all of them have.
        deviation: standard deviation of the rest, in the unit of the numbers.
        p_value: chance of means at least as far apart if no cell differed from another (F test).
    """

    num_cells: int
    num_seeds: int
    deviation: float
    p_value: float

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the standard deviation."""
        return (self.num_cells - 1) * (self.num_seeds - 1)

    @property
    def least_difference(self) -> float:
        """Cells whose means are further apart differ, each pair by itself (Fisher: least significant difference)."""
        from scipy.stats import t

        stderr = self.deviation * math.sqrt(2 / self.num_seeds)
        return float(t.ppf((1 + CONFIDENCE) / 2, self.freedom)) * stderr


def cell_spread(cells: Sequence[CellNumbers]) -> CellSpread | None:
    """Spread over the seeds that all cells with a number of ours have in common.

    Returns:
        None for fewer than two such cells or seeds, and for cells whose numbers are all the same.
    """
    from scipy.stats import f

    measured = [cell.seeds for cell in cells if cell.seeds]
    shared = sorted(set.intersection(*(set(seeds) for seeds in measured))) if measured else []
    if len(measured) < 2 or len(shared) < 2:
        return None
    numbers = np.array([[seeds[seed] for seed in shared] for seeds in measured])
    numbers = numbers - numbers.mean(axis=0)  # what a seed does to every cell
    means = numbers.mean(axis=1, keepdims=True)
    count, seeds = numbers.shape
    between = seeds * float((means**2).sum()) / (count - 1)
    rest = float(((numbers - means) ** 2).sum()) / ((count - 1) * (seeds - 1))
    if between == rest == 0:
        return None
    p_value = float(f.sf(between / rest, count - 1, (count - 1) * (seeds - 1))) if rest else 0.0
    return CellSpread(count, seeds, math.sqrt(rest), p_value)
