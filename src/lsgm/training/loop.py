"""The training loop of both stages: step, guard, curve, checkpoint, stop.

A step is a function of the state and its number alone, so N steps, a stop, and N more are the same as 2N steps.

Several processes go through it in step, and what they decide on is the same in all; the first one writes all files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lsgm import distributed
from lsgm.algorithms import Terms
from lsgm.config import ConfigError, LoopConfig
from lsgm.training.signals import Deadline, Interrupted, StopRequest
from lsgm.training.stage import Stage, Stateful

from .checkpoint import CheckpointId, CheckpointStore
from .divergence import Guard, Rollback, RollbackPolicy, TrainingDiverged, find_non_finite_module, non_finite_weight
from .logging import Averages, CurveLog, Record, Reporter, Stopwatch, curve_record
from .noise import Prefetcher, StepInputs, seed_dropout

GUARDED = ("loss", "grad_norm", "running_statistics")


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


class Loop:
    """One stage from its start, or from its last checkpoint, to its end.

    Args:
        stage: what is trained.
        config: length, guards and intervals.
        steps_per_epoch: steps of one epoch.
        folder: of the run, for the curve.
        store: of the checkpoints.
        reporter: shows progress.
        constants: what was found out before the loop and need not be found out again; goes into checkpoints.
        stop: entered already, by whoever watches for signals before and after the loop as well; None: only here.
    """

    def __init__(
        self,
        stage: Stage,
        config: LoopConfig,
        steps_per_epoch: int,
        folder: Path,
        store: CheckpointStore,
        reporter: Reporter,
        constants: Mapping[str, float | None] | None = None,
        stop: StopRequest | None = None,
    ) -> None:
        self._stop_request = stop
        self._deadline = Deadline() if stop is None else stop.deadline
        self._constants = dict(constants or {})
        self._stage = stage
        self._config = config
        self._steps_per_epoch = steps_per_epoch
        self._total = config.epochs * steps_per_epoch
        self._folder = folder
        self._store = store
        self._reporter = reporter
        self._guard = Guard(config.max_skipped)
        self._averages = Averages()
        self._policy = RollbackPolicy(stage, config, store, reporter)
        self._saved: CheckpointId | None = None
        self._first_non_finite: str | None = None
        self._record: Record = {}
        self._step = 0
        self._stopwatch = Stopwatch()

    def resume(self, step: int, state: dict[str, object]) -> None:
        """Take everything back from a checkpoint."""
        self._load(step, state, self._parts())
        self._stopwatch.load_state_dict(state["time"])
        self._saved = self._policy.id(step)
        self._reporter.note(f"{self._stage.name}: going on from step {step}")

    def run(self) -> LoopResult:
        """Train to the end.

        Raises:
            Interrupted: a stop signal or the end of the time slot came; a checkpoint of the last whole step is written.
            ConfigError: the time slot has ended before the first step.
        """
        self._stopwatch.start()
        cuda = [self._stage.device] if self._stage.device.type == "cuda" else []
        with ExitStack() as stack:
            stop = self._stop_request or stack.enter_context(StopRequest())
            stack.enter_context(torch.random.fork_rng(devices=cuda))
            log = CurveLog(self._folder, self._step) if distributed.is_first() else None
            self._curve = log and stack.enter_context(closing(log))
            inputs = self._stage.inputs
            if cuda:
                inputs = stack.enter_context(closing(Prefetcher(inputs)))
            self._reporter.start(self._stage.name, self._step, self._total)
            stack.callback(self._reporter.close)
            self._stage.statistics.keep()
            has_moved = False
            if self._saved is None:
                self._checkpoint()
            while self._step < self._total and self._guard.outcome is None:
                if has_moved and self._deadline.needs_a_save:
                    self._save()
                if distributed.any_of(stop.is_due):
                    self._stop(stop, has_moved)
                with self._deadline.step():
                    self._take_step(inputs)
                has_moved = True
        return self._result()

    def _take_step(self, inputs: Callable[[int], StepInputs]) -> None:
        """Take one step: batch, gradients of the losses, average over processes, update or skip, curve, checkpoint."""
        stage, step = self._stage, self._step
        if stage.has_dropout:
            seed_dropout(stage.seed, step)
        gradients = stage.gradients(inputs(step), step)
        norms = {}
        for name, branch in stage.branches.items():
            # Averages over processes, so that all make the same update.
            norms[f"grad_norm_{name}"] = branch.take_gradients(getattr(gradients, name), stage.precision.scale)
        terms = gradients.terms
        # A step that is taken again, to see what went wrong, needs their memory.
        del gradients
        values = self._values(terms, norms)
        finite = self._guard.check(step, {name: value for name, value in values.items() if name.startswith(GUARDED)})
        stage.precision.record(finite)
        self._policy.watch(step, values, finite)
        if finite:
            for name, branch in stage.branches.items():
                branch.update(step, values[f"grad_norm_{name}"])
            stage.after_update()
            stage.statistics.keep()
            self._averages.add(values)
        else:
            stage.statistics.restore()
        self._step += 1
        if self._guard.outcome is not None and self._go_back(inputs):
            return
        self._log_step(terms, step)

    def _values(self, terms: Terms, norms: Mapping[str, Tensor]) -> dict[str, float]:
        """Losses, gradient norms and the groups' KL by name: means over processes, and so the same in all of them."""
        scalars = terms.scalars | norms
        statistics = self._stage.statistics.total()
        if statistics is not None:
            scalars["running_statistics"] = statistics
        kl_groups = terms.nelbo.kl.mean(dim=0)
        # The one place in a step that waits for the device.
        values = distributed.mean(torch.cat([torch.stack(list(scalars.values())), kl_groups])).tolist()
        return dict(zip([*scalars, *(f"kl_groups/{group}" for group in range(len(kl_groups)))], values, strict=True))

    def _log_step(self, terms: Terms, step: int) -> None:
        """Write the curve's line and the checkpoint where one is due after step number `step`."""
        is_last = self._step == self._total or self._guard.outcome is not None
        record = None
        if is_last or self._step % self._config.log_every == 0:
            record = self._record = self._line(terms, step)
            if self._curve is not None:
                self._curve.write(record)
        if not is_last and self._step % self._config.checkpoint_every == 0:
            self._checkpoint()
        self._reporter.advance(self._step, record)

    def _line(self, terms: Terms, step: int) -> Record:
        """The curve's line after step number `step`."""
        return {
            "step": self._step,
            "epoch": self._step // self._steps_per_epoch,
            **curve_record(self._stage, terms, self._averages.take(), step),
            "skipped": self._guard.skipped,
            "seconds": round(self._stopwatch.seconds, 3),
        }

    def _stop(self, stop: StopRequest, has_moved: bool) -> None:
        if not has_moved and not distributed.any_of(stop.requested):
            raise ConfigError(max(distributed.all_gathered(self._deadline.too_short())))
        self._save()
        late = max(distributed.all_gathered(self._deadline.late()))
        saved = self._store.path(self._saved.step, self._saved.rollbacks)
        raise Interrupted(f"stopped at step {self._step} of {self._total}, saved in {saved}{late}")

    def _checkpoint(self) -> None:
        """Write a checkpoint that the run may go back to."""
        self._policy.reached(self._step, self._guard.is_settled)
        self._save()

    def _save(self) -> None:
        """Write a checkpoint to go on from, unless it is there, or has weights that no file should hold."""
        current = self._policy.id(self._step)
        if current == self._saved:
            return
        if distributed.is_first():
            if non_finite_weight(self._stage) is not None:
                return
            state = {name: part.state_dict() for name, part in self._parts().items()}
            state |= {"time": self._stopwatch.state_dict(), "record": dict(self._record)}
            with self._deadline.save():
                self._store.save(current.step, self._constants | state, current.rollbacks, self._policy.history.kept)
        self._saved = current

    def _go_back(self, inputs: Callable[[int], StepInputs]) -> bool:
        """Return to the last good state, if that may be done once more."""
        self._first_non_finite = find_non_finite_module(self._stage, inputs, self._step - 1)
        back = self._policy.go_back(self._step, self._guard.outcome.reason, self._first_non_finite)
        if back is None:
            return False
        self._load(*back, self._stage.parts | {"averages": self._averages})
        self._guard.start_again()
        self._stage.statistics.keep()
        if self._curve is not None:
            self._curve.go_back(self._step)
        # At once, so that whatever comes next goes on from here and not into the same trouble.
        self._save()
        self._reporter.close()
        self._reporter.start(self._stage.name, self._step, self._total)
        return True

    def _result(self) -> LoopResult:
        outcome = self._guard.outcome
        return LoopResult(
            diverged=None if outcome is None else self._policy.report(outcome, self._first_non_finite),
            steps=self._step,
            skipped_updates=self._guard.skipped,
            seconds=self._stopwatch.seconds,
            cpu_seconds=self._stopwatch.cpu_seconds,
            final=self._record,
            rollbacks=tuple(self._policy.rollbacks),
            weights_step=self._policy.finish(self._step, self._guard.is_settled),
        )

    def _load(self, step: int, state: Mapping[str, object], parts: Mapping[str, Stateful]) -> None:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        self._step, self._record = step, state["record"]

    def _parts(self) -> dict[str, Stateful]:
        return self._stage.parts | {"guard": self._guard, "averages": self._averages, "rollbacks": self._policy}
