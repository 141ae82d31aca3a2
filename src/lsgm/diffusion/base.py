"""What every forward process dz = f(t) z dt + g(t) dw offers (LSGM section 2; spec: method 1).

Its transition is q(z_t | z_0) = N(m_t z_0, σ_t² I) with m' = f m, m(0) = 1 and (σ²)' = 2 f σ² + g², σ²(0) = sigma2_0.
All functions of time are elementwise, keep the dtype of t, and are written so that float32 keeps its digits where a
variance or its complement is small. An SDE has no parameters to train, hence these are plain immutable objects.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from lsgm.config import SdeConfig


class Sde(ABC):
    """A forward SDE with linear drift. Subclasses are frozen dataclasses, one per file.

    Attributes:
        time_eps: training draws t from [time_eps, 1]; the cut-off of Theorem 1.
        sigma2_0: variance of the transition at t = 0.
    """

    time_eps: float
    sigma2_0: float

    @classmethod
    @abstractmethod
    def from_config(cls, config: SdeConfig) -> Self:
        """Build the SDE from its settings.

        Raises:
            ConfigError: a setting that this SDE needs is absent or out of range.
        """

    @abstractmethod
    def drift(self, t: Tensor) -> Tensor:
        """Drift coefficient f(t), same shape as t."""

    @abstractmethod
    def diffusion_squared(self, t: Tensor) -> Tensor:
        """Squared diffusion coefficient g²(t), same shape as t."""

    @abstractmethod
    def variance(self, t: Tensor) -> Tensor:
        """Variance σ_t² of the transition, sigma2_0 included; same shape as t."""

    @abstractmethod
    def mean(self, t: Tensor) -> Tensor:
        """Mean coefficient m_t of the transition, same shape as t."""

    @abstractmethod
    def time_of_variance(self, variance: Tensor) -> Tensor:
        """The time at which the transition has this variance: inverse of `variance`, same shape."""

    @abstractmethod
    def normal_variance(self, t: Tensor) -> Tensor:
        """Variance of z_t if the latents at t = 0 are standard normal; same shape as t."""

    @property
    def base_variance(self) -> float:
        """Variance of the base distribution p(z_1), a centred normal."""
        return 1.0

    def normal_prediction(self, z: Tensor, t: Tensor) -> Tensor:
        """Noise predicted at z_t if the prior is standard normal: the component M of the mixed score.

        Args:
            z: diffused latents z_t, (B, ...).
            t: times, (B,) or a scalar.

        Returns:
            M(z_t, t) = σ_t z_t / Var(z_t), same shape as z, float32 at least.

        Source: LSGM section 3.2; spec: method 3.
        """
        coefficient = self.variance(t).sqrt() / self.normal_variance(t)
        return _broadcast(coefficient, z) * z

    def perturb(self, z0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Draw from the transition by its reparametrisation.

        Args:
            z0: latents, (B, ...).
            noise: standard normals ε, same shape as z0.
            t: times, (B,) or a scalar.

        Returns:
            z_t = m_t z_0 + σ_t ε, same shape as z0, float32 at least.
        """
        return _broadcast(self.mean(t), z0) * z0 + _broadcast(self.variance(t).sqrt(), noise) * noise

    def base_log_prob(self, z: Tensor) -> Tensor:
        """Log-density of the base distribution N(0, base_variance I).

        Args:
            z: points, (B, ...).

        Returns:
            log p(z_1 = z) summed over all dimensions but the first, (B,), in nats.
        """
        z = z.to(torch.promote_types(z.dtype, torch.float32)).flatten(start_dim=1)
        log_normaliser = 0.5 * z.shape[1] * math.log(2 * math.pi * self.base_variance)
        return -0.5 * z.square().sum(dim=1) / self.base_variance - log_normaliser

    def cross_entropy_constant(self) -> float:
        """Constant of Theorem 1 for one latent dimension, ½ ln(2πe σ²(time_eps)), in nats."""
        return 0.5 * (1.0 + math.log(2 * math.pi * value_at(self.variance, self.time_eps)))


def value_at(function: Callable[[Tensor], Tensor], time: float) -> float:
    """Value of one of an SDE's functions at one time, computed in float64."""
    return function(torch.tensor(time, dtype=torch.float64)).item()


def _broadcast(values: Tensor, like: Tensor) -> Tensor:
    """Append axes to per-sample values so that they broadcast against `like`, and widen them to float32 at least."""
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    return values.reshape(values.shape + (1,) * (like.ndim - values.ndim))
