"""Which checkpoints matter beyond the newest: the good ones, to go back to, and the best, to end with.

Only checkpoints at whole intervals count. Those that a stop has written do not: with them, what a run goes back to
would depend on when it was stopped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from .checkpoint import Mark

GOOD = 2


class Marks:
    """The marks of one run; part of its checkpoints.

    Attributes:
        good: the last two checkpoints with finite weights that no skipped update came right before, newest first.
        best: the checkpoint before which the mean NELBO (kl_coeff = 1, of the training batches) was lowest.
        best_nelbo: that mean, in nats, over the updates since the checkpoint before it.
    """

    def __init__(self) -> None:
        self.good: list[Mark] = []
        self.best: Mark | None = None
        self.best_nelbo: float | None = None
        self._sum, self._count = 0.0, 0

    @property
    def kept(self) -> set[Mark]:
        """Checkpoints that must stay on the disk."""
        return {*self.good, *([] if self.best is None else [self.best])}

    def add(self, nelbo: float) -> None:
        """Add the NELBO of an update that was made."""
        self._sum += nelbo
        self._count += 1

    def reached(self, mark: Mark, is_good: bool) -> None:
        """End an interval.

        Args:
            mark: the checkpoint that is to be written, or the end of the run.
            is_good: whether the run could go on from it.
        """
        mean = self._sum / self._count if self._count else None
        self._sum, self._count = 0.0, 0
        if not is_good:
            return
        self.good = [mark, *self.good][:GOOD]
        # The NELBO of a prior on a frozen VAE is no part of its loss, and so not among what is checked at each step.
        has_mean = mean is not None and math.isfinite(mean)
        if has_mean and (self.best_nelbo is None or mean < self.best_nelbo):
            self.best, self.best_nelbo = mark, mean

    def ways_back(self, last: Mark | None) -> list[Mark]:
        """Checkpoints to go back to, in the order in which to try them.

        Args:
            last: the checkpoint written at the last rollback. If the run has come to no other since then, that one may
                have been in trouble already, and the one before it goes first.
        """
        ways = list(self.good)
        if last in ways[:1] and len(ways) > 1:
            ways = [*ways[1:], ways[0]]
        return ways

    def went_back(self, used: Mark, new: Mark) -> None:
        """Put `new`, a checkpoint with the state of `used`, in its place, and forget what was after it."""
        self.good = [new, *(mark for mark in self.good if mark.step < used.step)]
        self._sum, self._count = 0.0, 0

    def state_dict(self) -> dict[str, object]:
        """Plain values, for a checkpoint."""
        marks = [(mark.rollbacks, mark.step) for mark in self.good]
        best = None if self.best is None else (self.best.rollbacks, self.best.step, self.best_nelbo)
        return {"good": marks, "best": best, "sum": self._sum, "count": self._count}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take the marks back from a checkpoint."""
        self.good = [Mark(*mark) for mark in state["good"]]
        self.best = self.best_nelbo = None
        if state["best"] is not None:
            *mark, self.best_nelbo = state["best"]
            self.best = Mark(*mark)
        self._sum, self._count = float(state["sum"]), int(state["count"])
