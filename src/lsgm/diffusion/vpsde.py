"""The VPSDE with a linear noise rate, LSGM's default forward process (LSGM section 2; spec: method 1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from lsgm.config import SdeConfig

from .linear_beta import LinearBeta
from .variance_preserving import VariancePreservingSde


@dataclass(frozen=True)
class VPSDE(VariancePreservingSde):
    """dz = −½β(t) z dt + √β(t) dw with linear β; σ_t² = 1 − (1 − sigma2_0) exp(−B(t)), B the integral of β."""

    beta: LinearBeta
    sigma2_0: float
    time_eps: float

    @classmethod
    def from_config(cls, config: SdeConfig) -> Self:
        """Build from beta_start, beta_end, sigma2_0 and time_eps."""
        return cls(LinearBeta(config.beta_start, config.beta_end), config.sigma2_0, config.time_eps)

    def diffusion_squared(self, t: Tensor) -> Tensor:
        """g²(t) = β(t), same shape as t."""
        return self.beta.rate(t)

    def variance(self, t: Tensor) -> Tensor:
        """σ_t² = (1 − e^{−B}) + sigma2_0 e^{−B}, same shape as t."""
        integral = self.beta.integral(t)
        return -torch.expm1(-integral) + self.sigma2_0 * torch.exp(-integral)

    def one_minus_variance(self, t: Tensor) -> Tensor:
        """1 − σ_t² = (1 − sigma2_0) e^{−B}, same shape as t."""
        return (1 - self.sigma2_0) * torch.exp(-self.beta.integral(t))

    def time_of_variance(self, variance: Tensor) -> Tensor:
        """Inverse of `variance`, for values in [sigma2_0, 1); same shape."""
        return self.beta.time_of_integral(math.log1p(-self.sigma2_0) - torch.log1p(-variance))
