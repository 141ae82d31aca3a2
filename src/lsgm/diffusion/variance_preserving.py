"""What the variance-preserving SDEs have in common (spec: method 1, 5).

For every noise rate β: f = −½β, g² = β, (σ²)' = β (1 − σ²) and m² = (1 − σ²) / (1 − sigma2_0). The complement 1 − σ²
is the quantity to compute first: it falls to 4e-5 at t = 1, where weights divide by it and 1 − variance(t) in float32
would have lost most of its digits.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from .base import Sde


class VariancePreservingSde(Sde):
    """An SDE that keeps a standard normal as it is. Subclasses give g², σ², 1 − σ² and the inverse of σ²."""

    @abstractmethod
    def one_minus_variance(self, t: Tensor) -> Tensor:
        """1 − σ_t² to full relative accuracy, same shape as t (for sigma2_0 = 0 this is DDPM's ᾱ)."""

    def drift(self, t: Tensor) -> Tensor:
        """Drift coefficient f(t) = −½ β(t), same shape as t."""
        return -0.5 * self.diffusion_squared(t)

    def mean(self, t: Tensor) -> Tensor:
        """Mean coefficient m_t = √((1 − σ_t²) / (1 − sigma2_0)), same shape as t."""
        return torch.sqrt(self.one_minus_variance(t) / (1 - self.sigma2_0))

    def variance_rate(self, t: Tensor) -> Tensor:
        """Time derivative of the variance, β (1 − σ²); same shape as t."""
        return self.diffusion_squared(t) * self.one_minus_variance(t)

    def normal_variance(self, t: Tensor) -> Tensor:
        """Variance 1 at all times: a standard normal stays one."""
        return torch.ones_like(t)
