"""Whether the cells of Table 6 are ordered with us as in the paper: every pair, judged by the spread over seeds.

A pair counts where the paper's two numbers differ by more than their rounding: printed 2.97 and 2.98 may be anything
from 0.00 to 0.02 apart. It is decided where our mean difference lies beyond the two-sided 95 % interval of Student's t.
Each pair is judged by itself: nothing is corrected for the number of pairs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

ROUNDING = 0.01  # of the difference of two numbers that are printed with two decimals
CONFIDENCE = 0.95


@dataclass(frozen=True)
class CellNumbers:
    """One cell in one column.

    Attributes:
        name: of the cell.
        paper: as printed; `NaN`: the paper's training diverged; None: the paper has no number.
        seeds: seed -> our number, for the seeds that have one.
        num_diverged: seeds that have none because they diverged.
    """

    name: str
    paper: float | Literal["NaN"] | None
    seeds: Mapping[int, float]
    num_diverged: int = 0

    @property
    def has_both(self) -> bool:
        """Whether there is a number on both sides."""
        return isinstance(self.paper, float) and bool(self.seeds)


@dataclass(frozen=True)
class Difference:
    """Difference of two of our cells: mean over seeds, its standard error, and the degrees of freedom of that."""

    mean: float
    stderr: float
    freedom: float

    @property
    def sign(self) -> int:
        """1 or -1 for a difference beyond the interval of Student's t, 0 for one that chance explains."""
        from scipy.stats import t

        if abs(self.mean) <= t.ppf((1 + CONFIDENCE) / 2, self.freedom) * self.stderr:
            return 0
        return 1 if self.mean > 0 else -1


@dataclass(frozen=True)
class Ordering:
    """How the pairs of cells with a number on both sides are ordered.

    Attributes:
        num_cells: cells with both numbers.
        ties: pairs that do not differ in the paper by more than its rounding; the other counts leave them out.
        alike: pairs that are ordered as in the paper.
        opposite: names of the pairs that are ordered the other way round, the cell that is lower with us first.
        undecided: pairs whose difference chance explains, or has no spread.
        without_spread: the latter: the two cells have no two seeds to compare.
        tau: Kendall's tau-b between the paper's numbers and our means; None where one side has no two different ones.
    """

    num_cells: int
    ties: int
    alike: int
    opposite: tuple[tuple[str, str], ...]
    undecided: int
    without_spread: int
    tau: float | None

    @property
    def num_pairs(self) -> int:
        """Pairs that count: those that are no ties."""
        return self.alike + len(self.opposite) + self.undecided


def difference(one: Mapping[int, float], other: Mapping[int, float]) -> Difference | None:
    """Mean and standard error of `one` - `other`.

    Two cells with the same seeds share the backbone and the test images of each, so the difference is taken seed by
    seed. Without two seeds in common it is that of two independent means (Welch's degrees of freedom).

    Args:
        one: seed -> number.
        other: likewise.

    Returns:
        None if a cell has a single number.
    """
    shared = sorted(one.keys() & other.keys())
    if len(shared) > 1:
        each = [one[seed] - other[seed] for seed in shared]
        return Difference(statistics.fmean(each), statistics.stdev(each) / math.sqrt(len(each)), len(each) - 1)
    if min(len(one), len(other)) < 2:
        return None
    counts = [len(one), len(other)]
    squares = [statistics.variance(side.values()) / len(side) for side in (one, other)]  # of the standard errors
    parts = sum(square**2 / (count - 1) for square, count in zip(squares, counts, strict=True))
    freedom = sum(squares) ** 2 / parts if parts > 0 else min(counts) - 1
    mean = statistics.fmean(one.values()) - statistics.fmean(other.values())
    return Difference(mean, math.sqrt(sum(squares)), freedom)


def compare(cells: Sequence[CellNumbers]) -> Ordering:
    """Compare all pairs of cells that have a number on both sides."""
    known = [cell for cell in cells if cell.has_both]
    ties, alike, opposite, undecided, without_spread = 0, 0, [], 0, 0
    for one, other in combinations(known, 2):
        in_paper = round(one.paper - other.paper, 2)
        if abs(in_paper) <= ROUNDING:
            ties += 1
            continue
        found = difference(one.seeds, other.seeds)
        sign = 0 if found is None else found.sign
        without_spread += found is None
        if sign == 0:
            undecided += 1
        elif (sign > 0) == (in_paper > 0):
            alike += 1
        else:
            opposite.append((one.name, other.name) if sign < 0 else (other.name, one.name))
    return Ordering(len(known), ties, alike, tuple(opposite), undecided, without_spread, _tau(known))


def _tau(cells: Sequence[CellNumbers]) -> float | None:
    from scipy.stats import kendalltau

    if len(cells) < 2:
        return None
    means = [statistics.fmean(cell.seeds.values()) for cell in cells]
    tau = float(kendalltau([cell.paper for cell in cells], means).statistic)
    return tau if math.isfinite(tau) else None
