"""How a training loop ended."""

from __future__ import annotations

from dataclasses import dataclass

from .progress.log import Record
from .recovery.guard import TrainingDiverged
from .recovery.rescue import Rollback


@dataclass(frozen=True)
class LoopResult:
    """How a loop ended.

    Attributes:
        diverged: why it ended early, or None.
        steps: steps done, skipped ones included, those before a rollback not.
        skipped_updates: updates that were not finite, those before a rollback included.
        seconds: wall time of all its parts, if it was stopped and went on.
        cpu_seconds: processor time of this process in all parts, summed over its threads.
        final: the last line of the curve.
        rollbacks: its returns to an earlier state.
        weights_step: the steps after which the weights were those that it ended with.
    """

    diverged: TrainingDiverged | None
    steps: int
    skipped_updates: int
    seconds: float
    cpu_seconds: float
    final: Record
    rollbacks: tuple[Rollback, ...]
    weights_step: int
