"""Second chances of a run whose updates are no longer finite: back to a good checkpoint, and on more carefully.

A step is a function of the state and its number, so the same state would take the same steps into the same trouble.
Each time, all learning rates are multiplied by one factor and the coefficients of the spectral regularisers by another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from lsgm.config import RescueConfig
from lsgm.training.optimisation.regularisers import Regulariser
from lsgm.training.step.stage import Stage


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


class Rescue:
    """Counter of the rollbacks, and keeper of what they change in a stage.

    Args:
        config: how many there may be, and the factors.
        stage: whose learning rates and regularisers are changed.

    Attributes:
        rollbacks: those of this run, in their order.
    """

    def __init__(self, config: RescueConfig, stage: Stage) -> None:
        self._config = config
        self._branches = list(stage.branches.values())
        regularisers = [part for part in stage.parts.values() if isinstance(part, Regulariser)]
        self._coefficients = [(regulariser, regulariser.coefficient) for regulariser in regularisers]
        self.rollbacks: list[Rollback] = []

    @property
    def is_left(self) -> bool:
        """Whether the run may go back once more."""
        return len(self.rollbacks) < self._config.rollbacks

    def record(self, step: int, reason: str, first_non_finite: str | None, rolled_back_to: int) -> Rollback:
        """Count a rollback and set the factors; arguments as in `Rollback`."""
        times = len(self.rollbacks) + 1
        factors = self._config.lr_factor**times, self._config.sr_factor**times
        self.rollbacks.append(Rollback(step, reason, first_non_finite, rolled_back_to, *factors))
        self._apply()
        return self.rollbacks[-1]

    def state_dict(self) -> dict[str, object]:
        """The rollbacks, for a checkpoint."""
        return {"rollbacks": [asdict(rollback) for rollback in self.rollbacks]}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take the rollbacks back from a checkpoint, and their factors into effect."""
        self.rollbacks = [Rollback(**rollback) for rollback in state["rollbacks"]]
        self._apply()

    def _apply(self) -> None:
        lr_factor, sr_factor = 1.0, 1.0
        if self.rollbacks:
            lr_factor, sr_factor = self.rollbacks[-1].lr_factor, self.rollbacks[-1].sr_factor
        for branch in self._branches:
            branch.factor = lr_factor
        for regulariser, coefficient in self._coefficients:
            regulariser.coefficient = coefficient * sr_factor
