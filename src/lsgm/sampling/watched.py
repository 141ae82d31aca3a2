"""A right-hand side that notes, for each sample, the first value that is not finite, without asking the device."""

from __future__ import annotations

import torch
from torch import Tensor

from .dormand_prince import Derivative, State

FINE, BAD_DERIVATIVE, BAD_STATE = 0, 1, 2


class Watched:
    """Wraps a right-hand side.

    Args:
        rhs: called with times (B,) and states.
        low: first time at which it may be asked.
        high: last time.

    Attributes:
        fault: (B,), one of the constants above.
        time: (B,), where the fault was found.
    """

    def __init__(self, rhs: Derivative, low: float, high: float, like: Tensor) -> None:
        self.rhs, self.low, self.high = rhs, low, high
        self.fault = torch.zeros_like(like, dtype=torch.uint8)
        self.time = torch.zeros_like(like)

    def __call__(self, time: Tensor, state: State) -> State:
        """Derivative of each part. Rounding must not lead out of the interval, where a variance may be negative."""
        time = time.clamp(self.low, self.high)
        derivative = self.rhs(time, state)
        kind = torch.where(_finite(state), BAD_DERIVATIVE, BAD_STATE).to(torch.uint8)
        found = ~_finite(derivative) & (self.fault == FINE)
        self.fault = torch.where(found, kind, self.fault)
        self.time = torch.where(found, time, self.time)
        return derivative


def _finite(state: State) -> Tensor:
    """Whether all entries of a sample are finite, (B,)."""
    return torch.stack([torch.isfinite(part).reshape(len(part), -1).all(dim=1) for part in state]).all(dim=0)
