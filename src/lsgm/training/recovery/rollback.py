"""The ways back of a run: from trouble to its last good state, and in the end to its best one.

All processes decide alike, on numbers that are the same in all of them, and each reads the checkpoint by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from lsgm import distributed
from lsgm.config import LoopConfig
from lsgm.training.checkpoints.checkpoint import CheckpointStore, Mark
from lsgm.training.checkpoints.marks import Marks
from lsgm.training.progress.recent import Recent
from lsgm.training.progress.reporter import Reporter
from lsgm.training.step.stage import Stage, Stateful

from .culprit import has_finite_weights
from .guard import TrainingDiverged
from .rescue import Rescue


class Recovery:
    """What one run must know to go back.

    Args:
        stage: what is trained.
        config: with the settings of rescue and result.
        store: of the checkpoints.
        reporter: receives a line for each rollback.

    Attributes:
        rescue: the rollbacks so far.
        marks: the checkpoints that matter.
        recent: losses of the last steps.
    """

    def __init__(self, stage: Stage, config: LoopConfig, store: CheckpointStore, reporter: Reporter) -> None:
        self._stage, self._config, self._store, self._reporter = stage, config, store, reporter
        self.rescue = Rescue(config.rescue, stage)
        self.marks = Marks()
        self.recent = Recent()

    @property
    def parts(self) -> dict[str, Stateful]:
        """Everything with state."""
        return {"rescue": self.rescue, "marks": self.marks, "recent": self.recent}

    def mark(self, step: int) -> Mark:
        """The mark of the present state, after `step` steps."""
        return Mark(len(self.rescue.rollbacks), step)

    def watch(self, step: int, values: dict[str, float], is_finite: bool) -> None:
        """Take the values of a step, which was skipped if not finite."""
        self.recent.add(step, {name: value for name, value in values.items() if "/" not in name})
        if is_finite:
            self.marks.add(values["nelbo"])

    def reached(self, step: int, is_settled: bool) -> None:
        """End an interval after `step` steps; `is_settled` if the last update was made."""
        self.marks.reached(self.mark(step), is_settled and has_finite_weights(self._stage))

    def go_back(self, step: int, reason: str, first_non_finite: str | None) -> tuple[int, dict[str, object]] | None:
        """Find the state to go back to, and count a rollback.

        Args:
            step: steps done.
            reason: why.
            first_non_finite: see `Rollback`.

        Returns:
            The steps done in that state, and the state; None if no rollback is left or nothing can be read.
        """
        if not self.rescue.is_left:
            return None
        rollbacks = self.rescue.rollbacks
        last = Mark(len(rollbacks), rollbacks[-1].rolled_back_to) if rollbacks else None
        found = self._read(self.marks.ways_back(last))
        if found is None:
            return None
        used, state = found
        rollback = self.rescue.record(step, reason, first_non_finite, used.step)
        self.marks.went_back(used, self.mark(used.step))
        self._reporter.note(
            f"{self._stage.name}: {reason}; going back from step {step} to step {used.step}, now with learning rates "
            f"x {rollback.lr_factor:g} and spectral regularisation x {rollback.sr_factor:g} "
            f"(rollback {len(rollbacks)} of {self._config.rescue.rollbacks})"
        )
        return used.step, state

    def report(self, outcome: TrainingDiverged, first_non_finite: str | None) -> TrainingDiverged:
        """Complete the outcome of a run that does not go back any more."""
        times = len(self.rescue.rollbacks)
        after = f", after {times} rollback{'s' if times > 1 else ''}" if times else ""
        values = self.recent.by_term()
        return TrainingDiverged(outcome.step, outcome.reason + after, first_non_finite, values)

    def finish(self, step: int, is_settled: bool) -> int:
        """Put the weights that the run ends with into the stage.

        Args:
            step: steps done.
            is_settled: whether the last update was made.

        Returns:
            The steps after which they were the weights.
        """
        self.reached(step, is_settled)
        wanted = [self.marks.best] if self._config.result == "best" and self.marks.best is not None else []
        is_finite = has_finite_weights(self._stage)
        if self.mark(step) in wanted or (is_finite and not wanted):
            return step
        found = self._read(wanted if is_finite else [*wanted, *self.marks.good])
        if found is None:
            return step
        mark, state = found
        for name, part in self._stage.parts.items():
            part.load_state_dict(state[name])
        self._reporter.note(f"{self._stage.name}: the weights are those after step {mark.step}")
        return mark.step

    def _read(self, marks: Iterable[Mark]) -> tuple[Mark, dict[str, object]] | None:
        """The first of these checkpoints that all processes can use."""
        for mark in marks:
            state = self._store.load_at(mark)
            if not distributed.any_of(state is None):
                return mark, state
        return None
