"""The VESDE: no drift, a variance that grows geometrically up to the scale of the latents (spec: method 1).

Its largest variance is a property of the trained encoder, the largest squared distance between two training latents;
it is measured before the prior is trained and then part of the settings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from lsgm.config import ConfigError, SdeConfig

from .base import Sde


@dataclass(frozen=True)
class VESDE(Sde):
    """dz = g(t) dw with σ_t² = sigma2_min R^t, R = sigma2_max / sigma2_min; p(z_1) = N(0, sigma2_max I)."""

    sigma2_min: float
    sigma2_max: float
    time_eps: float

    @classmethod
    def from_config(cls, config: SdeConfig) -> Self:
        """Build from sigma2_min, sigma2_max and time_eps.

        Raises:
            ConfigError: sigma2_max is not known yet, or not above sigma2_min.
        """
        if config.sigma2_max is None:
            raise ConfigError(
                "sde.sigma2_max is null: for a VESDE it must be measured first, as the largest squared distance "
                "between training latents; training does so, or set the number"
            )
        if config.sigma2_max <= config.sigma2_min:
            raise ConfigError(
                f"sde.sigma2_max ({config.sigma2_max}) must exceed sde.sigma2_min ({config.sigma2_min}): "
                "if it was measured, the latents do not spread; lower sde.sigma2_min and sde.sigma2_0"
            )
        return cls(config.sigma2_min, config.sigma2_max, config.time_eps)

    @property
    def sigma2_0(self) -> float:
        """Variance at t = 0, which is sigma2_min for this SDE."""
        return self.sigma2_min

    @property
    def base_variance(self) -> float:
        """Variance of p(z_1): sigma2_max."""
        return self.sigma2_max

    @property
    def log_ratio(self) -> float:
        """ln R = ln(sigma2_max / sigma2_min)."""
        return math.log(self.sigma2_max / self.sigma2_min)

    def drift(self, t: Tensor) -> Tensor:
        """Drift coefficient f(t) = 0, same shape as t."""
        return torch.zeros_like(t)

    def diffusion_squared(self, t: Tensor) -> Tensor:
        """g²(t) = ln R · σ_t², same shape as t."""
        return self.log_ratio * self.variance(t)

    def variance(self, t: Tensor) -> Tensor:
        """σ_t² = sigma2_min R^t, same shape as t."""
        return self.sigma2_min * torch.exp(self.log_ratio * t)

    def mean(self, t: Tensor) -> Tensor:
        """Mean coefficient m_t = 1, same shape as t."""
        return torch.ones_like(t)

    def time_of_variance(self, variance: Tensor) -> Tensor:
        """Inverse of `variance`, same shape."""
        return torch.log(variance / self.sigma2_min) / self.log_ratio

    def normal_variance(self, t: Tensor) -> Tensor:
        """Variance N_t = 1 + σ_t² − sigma2_min of z_t if the latents at t = 0 are standard normal; same shape as t."""
        return 1 + self.sigma2_min * torch.expm1(self.log_ratio * t)
