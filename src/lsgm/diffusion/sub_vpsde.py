"""The sub-VPSDE of Song et al. (2021), whose variance stays below the VPSDE's (spec: method 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from lsgm.config import SdeConfig

from .base import Sde
from .linear_beta import LinearBeta
from .vpsde import VPSDE


@dataclass(frozen=True)
class SubVPSDE(Sde):
    """dz = −½β(t) z dt + √(β(t) (1 − a²)) dw with linear β and a = exp(−B(t)); σ_t² = (1 − a)² + sigma2_0 a."""

    beta: LinearBeta
    sigma2_0: float
    time_eps: float

    @classmethod
    def from_config(cls, config: SdeConfig) -> Self:
        """Build from beta_start, beta_end, sigma2_0 and time_eps."""
        return cls(LinearBeta(config.beta_start, config.beta_end), config.sigma2_0, config.time_eps)

    @property
    def vpsde(self) -> VPSDE:
        """The VPSDE with the same noise rate: importance sampling draws times as for that one."""
        return VPSDE(self.beta, self.sigma2_0, self.time_eps)

    def drift(self, t: Tensor) -> Tensor:
        """Drift coefficient f(t) = −½ β(t), same shape as t."""
        return -0.5 * self.beta.rate(t)

    def diffusion_squared(self, t: Tensor) -> Tensor:
        """g²(t) = β(t) (1 − e^{−2B}), same shape as t."""
        return -self.beta.rate(t) * torch.expm1(-2 * self.beta.integral(t))

    def variance(self, t: Tensor) -> Tensor:
        """σ_t² = (1 − e^{−B})² + sigma2_0 e^{−B}, same shape as t."""
        integral = self.beta.integral(t)
        return torch.expm1(-integral).square() + self.sigma2_0 * torch.exp(-integral)

    def mean(self, t: Tensor) -> Tensor:
        """Mean coefficient m_t = e^{−B/2}, same shape as t."""
        return torch.exp(-0.5 * self.beta.integral(t))

    def time_of_variance(self, variance: Tensor) -> Tensor:
        """Inverse of `variance`, for values in [sigma2_0, 1); same shape.

        With sigma2_0 > 0 the variance dips a little, to sigma2_0 (1 − sigma2_0 / 4), before it grows; the time on the
        growing branch is returned.
        """
        # The variance is a quadratic in u = 1 − a, namely u² + sigma2_0 (1 − u).
        root = torch.sqrt(self.sigma2_0**2 + 4 * (variance - self.sigma2_0))
        return self.beta.time_of_integral(-torch.log1p(-0.5 * (self.sigma2_0 + root)))

    def normal_variance(self, t: Tensor) -> Tensor:
        """Variance (1 − a)² + a of z_t if the latents at t = 0 are standard normal; same shape as t."""
        integral = self.beta.integral(t)
        return torch.expm1(-integral).square() + torch.exp(-integral)
