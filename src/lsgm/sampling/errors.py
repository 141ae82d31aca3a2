"""Numerical failures of sampling and evaluation: a result to be recorded (`diverged`), never a silent NaN."""

from __future__ import annotations

import torch
from torch import Tensor


class NumericalError(RuntimeError):
    """A model gave numbers that no result can be made of; callers record it as the run's outcome."""


class SolverError(NumericalError):
    """A sampler or ODE solver could not go on.

    Attributes:
        time: diffusion time t at which it stopped.
        cause: what happened there, in words.
        sample: place in its batch, from 0, of the sample that it happened to, where the solver knows.
    """

    def __init__(self, time: float, cause: str, sample: int | None = None) -> None:
        which = "" if sample is None else f" (sample {sample} of the batch, from 0)"
        super().__init__(f"solver failed at t = {time:.6g}: {cause}{which}")
        self.time = time
        self.cause = cause
        self.sample = sample


def require_finite(values: Tensor, what: str) -> None:
    """Refuse non-finite values.

    Args:
        values: tensor of any shape.
        what: name of the quantity, for the message.

    Raises:
        NumericalError: some entries are infinite or NaN; the message says how many.
    """
    finite = torch.isfinite(values)
    if not bool(finite.all()):
        count = values.numel() - int(finite.sum())
        raise NumericalError(f"{what}: {count} of {values.numel()} values are not finite")
