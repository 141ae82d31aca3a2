"""Watch over updates: one that is not finite is skipped and counted; too many in a row end the run as diverged.

Divergence is an outcome that the paper itself reports (NaN in Table 6), so it is recorded and not raised. Whether the
run then goes back and on, or ends, is decided elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TrainingDiverged:
    """Why a run ended early.

    Attributes:
        step: the first of the skipped updates in a row.
        reason: one line for the user.
        first_non_finite: where the trouble showed first in the last step; None if it was not found again.
        last_values: losses and gradient norms of the last steps by name, beside the numbers of the steps; those that
            are not finite as text.
    """

    step: int
    reason: str
    first_non_finite: str | None = None
    last_values: Mapping[str, Sequence[float | str | None]] = field(default_factory=dict)


class Guard:
    """Counter of skipped updates.

    Args:
        max_skipped: so many in a row mean divergence.

    Attributes:
        skipped: updates skipped since the start of the run.
    """

    def __init__(self, max_skipped: int) -> None:
        self._max_skipped = max_skipped
        self._in_a_row = 0
        self._step = 0
        self._broken = ""
        self.skipped = 0

    def check(self, step: int, watched: Mapping[str, float]) -> bool:
        """Record whether the losses and gradient norms of a step are finite.

        Args:
            step: the step they belong to.
            watched: values by name, for the reason.

        Returns:
            Whether the update may be made.
        """
        broken = next((name for name, value in watched.items() if not math.isfinite(value)), None)
        if broken is None:
            self._in_a_row = 0
            return True
        self.skipped += 1
        self._in_a_row += 1
        self._broken = broken
        self._step = step
        return False

    @property
    def is_settled(self) -> bool:
        """Whether the last update was made."""
        return self._in_a_row == 0

    def start_again(self) -> None:
        """Forget the skipped updates in a row, after a return to an earlier state; their number stays."""
        self._in_a_row = 0

    @property
    def outcome(self) -> TrainingDiverged | None:
        """The outcome if the run has diverged, else None."""
        if self._in_a_row < self._max_skipped:
            return None
        first = self._step - self._in_a_row + 1
        reason = f"{self._in_a_row} updates in a row were not finite, from step {first} on (the last: {self._broken})"
        return TrainingDiverged(first, reason)

    def state_dict(self) -> dict[str, int]:
        """The counters, for a checkpoint."""
        return {"skipped": self.skipped, "in_a_row": self._in_a_row}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Take the counters back from a checkpoint."""
        self.skipped, self._in_a_row = int(state["skipped"]), int(state["in_a_row"])
