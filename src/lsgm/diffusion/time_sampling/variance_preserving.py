"""Importance-sampled times for w_ll and w_re of a variance-preserving SDE (LSGM section 3.4, App. B; spec: method 5).

For standard normal latents E‖ε − ε_θ‖² = D (1 − σ_t²), so that the integrands are D · d ln σ²/dt for w_ll and
D · dσ²/dt for w_re: their integrals are known for any noise rate, and drawing a time is interpolating the
(log-)variance.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..base import value_at
from ..variance_preserving import VariancePreservingSde
from .base import TimeProposal


class LogVarianceProposal(TimeProposal):
    """r_ll(t) ∝ d ln σ_t²/dt: the log-variance is uniform. Uniform in t for the geometric VPSDE."""

    def __init__(self, sde: VariancePreservingSde) -> None:
        self.sde = sde
        self.log_first = math.log(value_at(sde.variance, sde.time_eps))
        self.log_last = math.log1p(-value_at(sde.one_minus_variance, 1.0))

    def time(self, rho: Tensor) -> Tensor:
        """Time of variance σ²(1)^ρ σ²(time_eps)^{1−ρ}, same shape as rho."""
        return self.sde.time_of_variance(torch.exp(rho * self.log_last + (1 - rho) * self.log_first))

    def density(self, t: Tensor) -> Tensor:
        """(d ln σ²/dt) / ln(σ²(1) / σ²(time_eps)), same shape as t."""
        return self.sde.variance_rate(t) / self.sde.variance(t) / (self.log_last - self.log_first)


class VarianceProposal(TimeProposal):
    """r_re(t) ∝ dσ_t²/dt: the variance is uniform."""

    def __init__(self, sde: VariancePreservingSde) -> None:
        self.sde = sde
        self.first = value_at(sde.variance, sde.time_eps)
        self.last = value_at(sde.variance, 1.0)

    def time(self, rho: Tensor) -> Tensor:
        """Time of variance ρ σ²(1) + (1 − ρ) σ²(time_eps), same shape as rho."""
        return self.sde.time_of_variance(rho * self.last + (1 - rho) * self.first)

    def density(self, t: Tensor) -> Tensor:
        """(dσ²/dt) / (σ²(1) − σ²(time_eps)), same shape as t."""
        return self.sde.variance_rate(t) / (self.last - self.first)
