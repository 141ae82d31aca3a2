"""Uniform times on [time_eps, 1] (spec: method 5)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..base import Sde
from .base import TimeProposal


class UniformProposal(TimeProposal):
    """r(t) = 1 / (1 − time_eps), for any SDE."""

    def __init__(self, sde: Sde) -> None:
        self.start = sde.time_eps

    @property
    def published_factor(self) -> float:
        """The published weights lack the interval's length 1 − time_eps."""
        return 1 / (1 - self.start)

    def time(self, rho: Tensor) -> Tensor:
        """t = time_eps + (1 − time_eps) ρ, same shape as rho."""
        return self.start + (1 - self.start) * rho

    def density(self, t: Tensor) -> Tensor:
        """1 / (1 − time_eps), same shape as t."""
        return torch.full_like(t, 1 / (1 - self.start))
