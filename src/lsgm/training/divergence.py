"""Updates that are not finite: skipped, counted, rolled back, and reported.

A skipped update changes nothing. Too many in a row: the run returns to its last good checkpoint and continues with
smaller learning rates and stronger spectral regularisation, since a step is a function of the state and its number, and
the same state would take the same steps into the same trouble. Without a rollback left the run ends as diverged: an
outcome that the paper itself reports (NaN in Table 6), so it is recorded and not raised.

All processes decide alike, on numbers that are the same in all of them, and each reads the checkpoint by itself.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import torch
from torch import nn

from lsgm import distributed
from lsgm.config import LoopConfig
from lsgm.models.files import first_non_finite
from lsgm.training.spectral import Regulariser

from .checkpoint import CheckpointHistory, CheckpointId, CheckpointStore
from .logging import Reporter
from .noise import StepInputs, seed_dropout

if TYPE_CHECKING:
    from lsgm.training.stage import Stage

RECENT_STEPS = 50


@dataclass(frozen=True)
class TrainingDiverged:
    """Why a run ended early.

    Attributes:
        step: the first of the skipped updates in a row.
        reason: one line for the user.
        first_non_finite: where the trouble showed first in the last step; None if it was not found again.
        last_values: losses and gradient norms of the last 50 steps by name, beside the numbers of the steps; those
            that are not finite as text.
    """

    step: int
    reason: str
    first_non_finite: str | None = None
    last_values: Mapping[str, Sequence[float | str | None]] = field(default_factory=dict)


class Guard:
    """Counter of skipped updates: `max_skipped` in a row mean divergence.

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
        """Record whether the watched values of a step are finite; return whether the update may be made."""
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


@dataclass(frozen=True)
class Rollback:
    """One return to an earlier state.

    Attributes:
        step: steps done when the run went back.
        reason: one line for the user.
        first_non_finite: where the trouble showed first in the last of these steps; None if it was not found again.
        rolled_back_to: steps done in the state that the run went back to.
        lr_factor: product by which all learning rates are multiplied from then on.
        sr_factor: the same for the coefficients of the spectral regularisers.
    """

    step: int
    reason: str
    first_non_finite: str | None
    rolled_back_to: int
    lr_factor: float
    sr_factor: float


class RollbackPolicy:
    """Decides which state a run returns to in trouble, and which weights it ends with. Part of the checkpoints.

    Args:
        stage: what is trained; its learning rates and regularisers are changed by a rollback.
        config: with the settings of rescue and result.
        store: of the checkpoints.
        reporter: receives a line for each rollback.

    Attributes:
        rollbacks: those of this run, in their order.
        history: the checkpoints that matter.
    """

    def __init__(self, stage: Stage, config: LoopConfig, store: CheckpointStore, reporter: Reporter) -> None:
        self._stage, self._config, self._store, self._reporter = stage, config, store, reporter
        regularisers = [part for part in stage.parts.values() if isinstance(part, Regulariser)]
        self._coefficients = [(regulariser, regulariser.coefficient) for regulariser in regularisers]
        self._recent: deque[tuple[int, dict[str, float]]] = deque(maxlen=RECENT_STEPS)
        self.rollbacks: list[Rollback] = []
        self.history = CheckpointHistory()

    def id(self, step: int) -> CheckpointId:
        """The checkpoint of the present state, after `step` steps."""
        return CheckpointId(len(self.rollbacks), step)

    def watch(self, step: int, values: Mapping[str, float], is_finite: bool) -> None:
        """Take the values of a step, which was skipped if not finite."""
        self._recent.append((step, {name: value for name, value in values.items() if "/" not in name}))
        if is_finite:
            self.history.add(values["nelbo"])

    def reached(self, step: int, is_settled: bool) -> None:
        """End an interval after `step` steps; `is_settled` if the last update was made."""
        self.history.reached(self.id(step), is_settled and has_finite_weights(self._stage))

    def go_back(self, step: int, reason: str, first_non_finite: str | None) -> tuple[int, dict[str, object]] | None:
        """Find the state to go back to, and count a rollback.

        Args:
            step: steps done.
            reason: why.
            first_non_finite: see `Rollback`.

        Returns:
            The steps done in that state, and the state; None if no rollback is left or nothing can be read.
        """
        rescue, done = self._config.rescue, len(self.rollbacks)
        if done >= rescue.rollbacks:
            return None
        last = CheckpointId(done, self.rollbacks[-1].rolled_back_to) if done else None
        found = self._read(self.history.ways_back(last))
        if found is None:
            return None
        used, state = found
        factors = rescue.lr_factor ** (done + 1), rescue.sr_factor ** (done + 1)
        self.rollbacks.append(Rollback(step, reason, first_non_finite, used.step, *factors))
        self._apply_factors()
        self.history.went_back(used, self.id(used.step))
        self._reporter.note(
            f"{self._stage.name}: {reason}; going back from step {step} to step {used.step}, now with learning rates "
            f"x {factors[0]:g} and spectral regularisation x {factors[1]:g} (rollback {done + 1} of {rescue.rollbacks})"
        )
        return used.step, state

    def report(self, outcome: TrainingDiverged, first_non_finite: str | None) -> TrainingDiverged:
        """Complete the outcome of a run that does not go back any more."""
        times = len(self.rollbacks)
        after = f", after {times} rollback{'s' if times > 1 else ''}" if times else ""
        return TrainingDiverged(outcome.step, outcome.reason + after, first_non_finite, self._last_values())

    def finish(self, step: int, is_settled: bool) -> int:
        """Put the weights that the run ends with into the stage.

        Args:
            step: steps done.
            is_settled: whether the last update was made.

        Returns:
            The steps after which they were the weights.
        """
        self.reached(step, is_settled)
        best = self.history.best
        wanted = [best] if self._config.result == "best" and best is not None else []
        is_finite = has_finite_weights(self._stage)
        if self.id(step) in wanted or (is_finite and not wanted):
            return step
        found = self._read(wanted if is_finite else [*wanted, *self.history.good])
        if found is None:
            return step
        used, state = found
        for name, part in self._stage.parts.items():
            part.load_state_dict(state[name])
        self._reporter.note(f"{self._stage.name}: the weights are those after step {used.step}")
        return used.step

    def state_dict(self) -> dict[str, object]:
        """Rollbacks, checkpoints that matter and the last values, for a checkpoint."""
        return {
            "rollbacks": [asdict(rollback) for rollback in self.rollbacks],
            "history": self.history.state_dict(),
            "recent": [(step, dict(values)) for step, values in self._recent],
        }

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take all of it back from a checkpoint, and the rollbacks' factors into effect."""
        self.rollbacks = [Rollback(**rollback) for rollback in state["rollbacks"]]
        self.history.load_state_dict(state["history"])
        self._recent = deque(((step, dict(values)) for step, values in state["recent"]), maxlen=RECENT_STEPS)
        self._apply_factors()

    def _apply_factors(self) -> None:
        last = self.rollbacks[-1] if self.rollbacks else None
        for branch in self._stage.branches.values():
            branch.factor = last.lr_factor if last else 1.0
        for regulariser, coefficient in self._coefficients:
            regulariser.coefficient = coefficient * (last.sr_factor if last else 1.0)

    def _last_values(self) -> dict[str, list[float | str | None]]:
        names = dict.fromkeys(name for _, values in self._recent for name in values)
        table: dict[str, list[float | str | None]] = {"step": [step for step, _ in self._recent]}
        return table | {name: [_for_json(values.get(name)) for _, values in self._recent] for name in names}

    def _read(self, wanted: Iterable[CheckpointId]) -> tuple[CheckpointId, dict[str, object]] | None:
        """The first of these checkpoints that all processes can use."""
        for one in wanted:
            state = self._store.load_at(one)
            if not distributed.any_of(state is None):
                return one, state
        return None


def has_finite_weights(stage: Stage) -> bool:
    """Whether weights and running statistics are finite in all processes."""
    return not distributed.any_of(non_finite_weight(stage) is not None)


def non_finite_weight(stage: Stage) -> str | None:
    """Name a weight or running statistic that is not finite in this process, if there is one."""
    for part, network in stage.networks.items():
        name = first_non_finite(network.state_dict())
        if name is not None:
            return f"{part}.{name}"
    return None


def find_non_finite_module(stage: Stage, inputs: Callable[[int], StepInputs], step: int) -> str | None:
    """Take a skipped step once more with every layer watched; say what is not finite first in any process.

    Only for runs in trouble. Afterwards the stage's state must be loaded again, or not be trained on: the spectral
    regularisers' vectors have moved.

    Args:
        stage: as it was before the step.
        inputs: of a step.
        step: the step that was skipped.

    Returns:
        A weight, the images, a layer or a gradient, such as "output of vae.decoder.stem"; None if the step is finite
        this time, as one can be whose float16 gradients have overflowed.
    """
    weight = non_finite_weight(stage)
    mine = _first_in_step(stage, inputs, step) if weight is None else (0, 0, f"weight {weight}")
    found = [finding for finding in distributed.all_gathered(mine) if finding is not None]
    return min(found)[2] if found else None


def _first_in_step(stage: Stage, inputs: Callable[[int], StepInputs], step: int) -> tuple[int, int, str] | None:
    """Part of the step (images, layers, gradients), place within it, and what is not finite there."""
    given = inputs(step)
    if stage.has_dropout:
        seed_dropout(stage.seed, step)
    with _watched(stage.networks) as found:
        gradients = stage.gradients(given, step)
    stage.statistics.restore()
    if not _is_finite(given.x):
        return 1, 0, "the images of the batch"
    if found:
        return 2, *found[0]
    for part, branch in stage.branches.items():
        names = {parameter: name for name, parameter in stage.networks[part].named_parameters()}
        for index, gradient in enumerate(getattr(gradients, part)):
            if not _is_finite(gradient):
                return 3, index, f"gradient of {part}.{names[branch.parameters[index]]}"
    return None


@contextmanager
def _watched(networks: Mapping[str, nn.Module]) -> Iterator[list[tuple[int, str]]]:
    """Collect the modules that give something non-finite, with the number of their call."""
    found: list[tuple[int, str]] = []
    calls = count()

    def watch(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, arguments: object, output: object) -> None:
            call = next(calls)
            if not _is_finite(output):
                found.append((call, f"output of {name}"))

        return hook

    modules = [pair for part, network in networks.items() for pair in network.named_modules(prefix=part)]
    handles = [module.register_forward_hook(watch(name)) for name, module in modules]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _is_finite(output: object) -> bool:
    """Whether all tensors in lists and tuples are; other containers are watched inside of their modules."""
    if isinstance(output, torch.Tensor):
        return bool(torch.isfinite(output).all())
    return all(map(_is_finite, output)) if isinstance(output, (list, tuple)) else True


def _for_json(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)
