"""ODEs with known solutions for the tests of the solvers, and a right-hand side that keeps a log of its calls."""

from __future__ import annotations

import torch
from torch import Tensor

Parts = tuple[Tensor, ...]


def doubles(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def decay(time: Tensor, state: Parts, rate: Tensor) -> Parts:
    """dy/dt = -rate y, a rate for each sample: y(0) e^(-rate t)."""
    return (-rate.reshape(-1, *[1] * (state[0].ndim - 1)) * state[0],)


def swing(time: Tensor, state: Parts) -> Parts:
    """dy/dt = y cos t: y(0) e^(sin t)."""
    return (state[0] * torch.cos(time)[:, None],)


class Logged:
    """Wraps a right-hand side, whose last fixed part must be the name of each sample, and logs its calls.

    Attributes:
        times: of each sample, by name, in the order of the calls.
        sizes: how many samples each call had.
    """

    def __init__(self, rhs) -> None:
        self.rhs, self.times, self.sizes = rhs, {}, []

    def __call__(self, time: Tensor, state: Parts, *fixed: Tensor) -> Parts:
        *fixed, names = fixed
        self.sizes.append(len(names))
        for name, at in zip(names.tolist(), time.tolist(), strict=True):
            self.times.setdefault(name, []).append(at)
        return self.rhs(time, state, *fixed)
