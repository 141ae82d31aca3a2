"""The geometric VPSDE: variance preserving, with a variance that grows geometrically (LSGM App. B; spec: method 1).

With sigma2_0 = sigma2_min, the paper's only setting, σ_t² = sigma2_min R^t exactly (R = sigma2_max / sigma2_min), so
that ln σ_t² is linear in t: the integrand of the cross entropy is flat for a standard normal, and uniform times are
already the importance-sampled ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from lsgm.config import ConfigError, SdeConfig

from .variance_preserving import VariancePreservingSde


@dataclass(frozen=True)
class GeometricVPSDE(VariancePreservingSde):
    """Variance-preserving SDE with σ_t² = sigma2_min R^t − sigma2_min + sigma2_0."""

    sigma2_min: float
    sigma2_max: float
    sigma2_0: float
    time_eps: float

    @classmethod
    def from_config(cls, config: SdeConfig) -> Self:
        """Build from sigma2_min, sigma2_max, sigma2_0 and time_eps.

        Raises:
            ConfigError: sigma2_max is absent, or the variance at t = 1 is not below 1.
        """
        if config.sigma2_max is None:
            raise ConfigError("sde.sigma2_max is null: a geometric VPSDE needs a number below 1, such as 0.999")
        last = config.sigma2_max - config.sigma2_min + config.sigma2_0
        if last >= 1:
            raise ConfigError(
                f"sde.sigma2_0 ({config.sigma2_0}) makes the variance at t = 1 equal to {last:.6g}, which must be "
                f"below 1: lower it, or sde.sigma2_max ({config.sigma2_max})"
            )
        return cls(config.sigma2_min, config.sigma2_max, config.sigma2_0, config.time_eps)

    @property
    def log_ratio(self) -> float:
        """ln R = ln(sigma2_max / sigma2_min)."""
        return math.log(self.sigma2_max / self.sigma2_min)

    def diffusion_squared(self, t: Tensor) -> Tensor:
        """g²(t) = β(t) = ln R · sigma2_min R^t / (1 − σ_t²), same shape as t."""
        growth = self.sigma2_min * torch.exp(self.log_ratio * t)
        return self.log_ratio * growth / self.one_minus_variance(t)

    def variance(self, t: Tensor) -> Tensor:
        """σ_t² = sigma2_min (R^t − 1) + sigma2_0, same shape as t."""
        return self.sigma2_min * torch.expm1(self.log_ratio * t) + self.sigma2_0

    def one_minus_variance(self, t: Tensor) -> Tensor:
        """1 − σ_t², same shape as t; counted from its value at t = 1, where it is small."""
        last = 1 - self.sigma2_0 + self.sigma2_min - self.sigma2_max
        return last - self.sigma2_max * torch.expm1(-self.log_ratio * (1 - t))

    def time_of_variance(self, variance: Tensor) -> Tensor:
        """Inverse of `variance`, same shape."""
        return torch.log1p((variance - self.sigma2_0) / self.sigma2_min) / self.log_ratio
