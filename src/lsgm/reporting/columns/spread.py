"""One number from several seeds: mean, standard deviation over the seeds, and how many of them diverged."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """How a number differs between seeds.

    Attributes:
        values: one per seed; None where there is no number.
        num_diverged: seeds that have none because they diverged.
    """

    values: tuple[float | None, ...]
    num_diverged: int

    @property
    def measured(self) -> list[float]:
        """The numbers that there are."""
        return [value for value in self.values if value is not None]

    @property
    def mean(self) -> float | None:
        """Mean over the seeds that have a number."""
        return statistics.fmean(self.measured) if self.measured else None

    @property
    def deviation(self) -> float | None:
        """Standard deviation over these seeds (n - 1); None for fewer than two."""
        return statistics.stdev(self.measured) if len(self.measured) > 1 else None

    @property
    def remark(self) -> str:
        """Which seeds are missing, in brackets: ` (1 of 3 diverged)`; nothing if none is."""
        if self.num_diverged:
            return f" ({self.num_diverged} of {len(self.values)} diverged)"
        missing = len(self.values) - len(self.measured)
        return f" ({missing} of {len(self.values)} not measured)" if missing else ""


def mean_of(values: Sequence[float | None]) -> float | None:
    """Mean of the values that there are."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
