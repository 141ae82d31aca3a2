"""The training loop of both stages: step, guard, curve, checkpoint, polite stop.

A step is a function of the state and its number alone, so N steps, a stop, and N more are the same as 2N steps.

Several processes go through it in step, and what they decide on is the same in all; the first one writes all files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import torch

from lsgm import distributed
from lsgm.config import LoopConfig

from .averages import Averages
from .checkpoint import CheckpointStore
from .draws import seed_dropout
from .gradients import StepGradients
from .guard import Guard, TrainingDiverged
from .inputs import Prefetcher, StepInputs
from .log import CurveLog, Record
from .reporter import Reporter
from .stage import Stage, Stateful
from .stop import Interrupted, StopRequest

GUARDED = ("loss", "grad_norm", "running_statistics")


@dataclass(frozen=True)
class LoopResult:
    """How a loop ended.

    Attributes:
        diverged: why it ended early, or None.
        steps: steps done, skipped ones included.
        skipped_updates: updates that were not finite.
        seconds: wall time of all its parts, if it was stopped and went on.
        final: the last line of the curve.
    """

    diverged: TrainingDiverged | None
    steps: int
    skipped_updates: int
    seconds: float
    final: Record


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
    ) -> None:
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
        self._record: Record = {}
        self._step = 0
        self._seconds = 0.0

    def resume(self, step: int, state: dict[str, object]) -> None:
        """Take everything back from a checkpoint."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self._step = step
        self._seconds = float(state["seconds"])
        self._record = state["record"]
        self._reporter.note(f"{self._stage.name}: going on from step {step}")

    def run(self) -> LoopResult:
        """Train to the end.

        Raises:
            Interrupted: a stop signal came; a checkpoint of the last whole step is written.
        """
        self._started = time.perf_counter()
        cuda = [self._stage.device] if self._stage.device.type == "cuda" else []
        with ExitStack() as stack:
            stop = stack.enter_context(StopRequest())
            stack.enter_context(torch.random.fork_rng(devices=cuda))
            log = CurveLog(self._folder, self._step) if distributed.is_first() else None
            self._curve = log and stack.enter_context(closing(log))
            inputs = self._stage.inputs
            if cuda:
                inputs = stack.enter_context(closing(Prefetcher(inputs)))
            self._reporter.start(self._stage.name, self._step, self._total)
            stack.callback(self._reporter.close)
            self._stage.statistics.keep()
            while self._step < self._total and self._guard.outcome is None:
                if distributed.any_of(stop.requested):
                    self._stop()
                self._take_step(inputs)
        return LoopResult(self._guard.outcome, self._step, self._guard.skipped, self._elapsed(), self._record)

    def _take_step(self, inputs: Callable[[int], StepInputs]) -> None:
        stage, step = self._stage, self._step
        if stage.has_dropout:
            seed_dropout(stage.seed, step)
        gradients = stage.gradients(inputs(step), step)
        self._update(gradients, step)
        self._step += 1
        is_last = self._step == self._total or self._guard.outcome is not None
        record = None
        if is_last or self._step % self._config.log_every == 0:
            record = self._record = self._line(gradients, step)
            if self._curve is not None:
                self._curve.write(record)
        if not is_last and self._step % self._config.checkpoint_every == 0:
            self._save()
        self._reporter.advance(self._step, record)

    def _update(self, gradients: StepGradients, step: int) -> None:
        """Update all branches, or none if anything is not finite."""
        stage = self._stage
        scalars = dict(gradients.terms.scalars)
        for name, branch in stage.branches.items():
            norm = branch.take_gradients(getattr(gradients, name), stage.precision.scale)
            scalars[f"grad_norm_{name}"] = norm
        statistics = stage.statistics.total()
        if statistics is not None:
            scalars["running_statistics"] = statistics
        kl_groups = gradients.terms.nelbo.kl.mean(dim=0)
        # The one place in a step that waits for the device.
        values = distributed.mean(torch.cat([torch.stack(list(scalars.values())), kl_groups])).tolist()
        values = dict(zip([*scalars, *(f"kl_groups/{group}" for group in range(len(kl_groups)))], values, strict=True))
        finite = self._guard.check(step, {name: value for name, value in values.items() if name.startswith(GUARDED)})
        stage.precision.record(finite)
        if not finite:
            stage.statistics.restore()
            return
        for name, branch in stage.branches.items():
            branch.update(step, values[f"grad_norm_{name}"])
        stage.after_update()
        stage.statistics.keep()
        self._averages.add(values)

    def _line(self, gradients: StepGradients, step: int) -> Record:
        """The curve's line after step number `step`."""
        means = self._averages.take()
        scalars = [*gradients.terms.scalars, *(f"grad_norm_{name}" for name in self._stage.branches)]
        return {
            "step": self._step,
            "epoch": self._step // self._steps_per_epoch,
            **{name: means.get(name) for name in scalars},
            "kl_groups": [means.get(f"kl_groups/{group}") for group in range(gradients.terms.nelbo.kl.shape[1])],
            "active_channels": gradients.terms.nelbo.active_channels().tolist(),
            "kappa": self._stage.kappa(step),
            **{f"lr_{name}": branch.rate(step) for name, branch in self._stage.branches.items()},
            "skipped": self._guard.skipped,
            "seconds": round(self._elapsed(), 3),
        }

    def _stop(self) -> None:
        self._save()
        distributed.wait_for_all()
        raise Interrupted(f"stopped at step {self._step} of {self._total}, saved in {self._store.path(self._step)}")

    def _save(self) -> None:
        if not distributed.is_first():
            return
        state = {name: part.state_dict() for name, part in self._parts().items()}
        state |= {"seconds": self._elapsed(), "record": dict(self._record)}
        self._store.save(self._step, self._constants | state)

    def _parts(self) -> dict[str, Stateful]:
        return self._stage.parts | {"guard": self._guard, "averages": self._averages}

    def _elapsed(self) -> float:
        return self._seconds + time.perf_counter() - self._started
