"""Importance-sampled times for the VESDE (spec: method 5).

For standard normal latents z_t has the variance N_t = 1 − sigma2_min + σ_t², and E‖ε − ε_θ‖² is
D (1 − sigma2_min) / N_t. As g²/σ² is constant, w_ll and w_un share a proposal.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..base import value_at
from ..vesde import VESDE
from .base import TimeProposal


class VarianceRatioProposal(TimeProposal):
    """r_ll(t) = r_un(t) ∝ d ln(σ_t² / N_t)/dt = ln R · (1 − sigma2_min) / N_t: ln(N_t / σ_t²) is uniform."""

    def __init__(self, sde: VESDE) -> None:
        self.sde = sde
        self.excess = 1 - sde.sigma2_min
        self.first = math.log1p(self.excess / value_at(sde.variance, sde.time_eps))
        self.last = math.log1p(self.excess / sde.sigma2_max)

    def time(self, rho: Tensor) -> Tensor:
        """Time of variance (1 − sigma2_min) / (e^y − 1), y = ln(N/σ²) interpolated linearly; same shape as rho."""
        log_ratio = rho * self.last + (1 - rho) * self.first
        return self.sde.time_of_variance(self.excess / torch.expm1(log_ratio))

    def density(self, t: Tensor) -> Tensor:
        """d ln(σ²/N)/dt divided by its integral, same shape as t."""
        return self.sde.log_ratio * self.excess / self.sde.normal_variance(t) / (self.first - self.last)


class NormalVarianceProposal(TimeProposal):
    """r_re(t) ∝ d ln N_t/dt: the logarithm of the diffused variance is uniform."""

    def __init__(self, sde: VESDE) -> None:
        self.sde = sde
        self.first_variance = value_at(sde.variance, sde.time_eps)
        self.first = value_at(sde.normal_variance, sde.time_eps)
        self.log_range = math.log(value_at(sde.normal_variance, 1.0) / self.first)

    def time(self, rho: Tensor) -> Tensor:
        """Time at which N = N(1)^ρ N(time_eps)^{1−ρ}, same shape as rho."""
        # N − N(time_eps) = σ² − σ²(time_eps); the difference is formed by expm1, since σ² is far below N at first.
        return self.sde.time_of_variance(self.first_variance + self.first * torch.expm1(rho * self.log_range))

    def density(self, t: Tensor) -> Tensor:
        """(d ln N/dt) / ln(N(1) / N(time_eps)), same shape as t."""
        return self.sde.diffusion_squared(t) / self.sde.normal_variance(t) / self.log_range
