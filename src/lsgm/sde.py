"""Forward processes dz = f(t) z dt + g(t) dw (LSGM section 2, App. B; docs/method.md, Forward processes).

The transition is q(z_t | z_0) = N(m_t z_0, σ_t² I) with m' = f m, m(0) = 1 and (σ²)' = 2 f σ² + g², σ²(0) = sigma2_0.
All functions of time are elementwise, keep shape and dtype of t, and are written so that float32 keeps its digits where
a variance or its complement is small. An SDE has no trained parameters: these are immutable objects.

To add an SDE, derive from `Sde`, or from `VariancePreservingSde` (g², σ², 1 − σ² and the inverse of σ² are enough), add
it to `SDES` and its name to `SdeConfig.type`; for importance-sampled times add a line to `time_sampling.IMPORTANCE`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from lsgm.config import ConfigError, SdeConfig


class Sde(ABC):
    """A forward SDE with linear drift.

    Attributes:
        time_eps: training draws t from [time_eps, 1]; the cut-off of Theorem 1.
        sigma2_0: variance of the transition at t = 0.
    """

    time_eps: float
    sigma2_0: float

    @classmethod
    @abstractmethod
    def from_config(cls, config: SdeConfig) -> Self:
        """Build from settings; ConfigError if one that this SDE needs is absent or out of range."""

    @abstractmethod
    def drift(self, t: Tensor) -> Tensor:
        """Drift coefficient f(t)."""

    @abstractmethod
    def diffusion_squared(self, t: Tensor) -> Tensor:
        """Squared diffusion coefficient g²(t)."""

    @abstractmethod
    def variance(self, t: Tensor) -> Tensor:
        """Variance σ_t² of the transition, sigma2_0 included."""

    @abstractmethod
    def mean(self, t: Tensor) -> Tensor:
        """Mean coefficient m_t of the transition."""

    @abstractmethod
    def time_of_variance(self, variance: Tensor) -> Tensor:
        """The time at which the transition has this variance: inverse of `variance`, same shape."""

    @abstractmethod
    def normal_variance(self, t: Tensor) -> Tensor:
        """Variance of z_t if the latents at t = 0 are standard normal."""

    @property
    def base_variance(self) -> float:
        """Variance of the base distribution p(z_1), a centred normal."""
        return 1.0

    def normal_prediction(self, z: Tensor, t: Tensor) -> Tensor:
        """Noise that a standard normal prior predicts, the component M of the mixed score (LSGM section 3.2).

        Args: diffused latents z, (B, ...), and times t, (B,) or a scalar.
        Returns: M(z_t, t) = σ_t z_t / Var(z_t), same shape as z, float32 at least.
        """
        coefficient = self.variance(t).sqrt() / self.normal_variance(t)
        return _broadcast(coefficient, z) * z

    def perturb(self, z0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """Draw from the transition by its reparametrisation.

        Args: latents z0, (B, ...); standard normals ε of the same shape; times t, (B,) or a scalar.
        Returns: z_t = m_t z_0 + σ_t ε, same shape as z0, float32 at least.
        """
        return _broadcast(self.mean(t), z0) * z0 + _broadcast(self.variance(t).sqrt(), noise) * noise

    def base_log_prob(self, z: Tensor) -> Tensor:
        """Log-density of the base distribution N(0, base_variance I) at points (B, ...): (B,), in nats."""
        z = z.to(torch.promote_types(z.dtype, torch.float32)).flatten(start_dim=1)
        log_normaliser = 0.5 * z.shape[1] * math.log(2 * math.pi * self.base_variance)
        return -0.5 * z.square().sum(dim=1) / self.base_variance - log_normaliser


class VariancePreservingSde(Sde):
    """An SDE that keeps a standard normal as it is: f = −½β, g² = β and (σ²)' = β (1 − σ²) for every noise rate β.

    The complement 1 − σ² is computed first: it falls to 4e-5 at t = 1, where weights divide by it and 1 − variance(t)
    in float32 would have lost most of its digits.
    """

    @abstractmethod
    def one_minus_variance(self, t: Tensor) -> Tensor:
        """1 − σ_t² to full relative accuracy, same shape as t (for sigma2_0 = 0 this is DDPM's ᾱ)."""

    def drift(self, t: Tensor) -> Tensor:
        """Drift coefficient f(t) = −½ β(t)."""
        return -0.5 * self.diffusion_squared(t)

    def mean(self, t: Tensor) -> Tensor:
        """Mean coefficient m_t = √((1 − σ_t²) / (1 − sigma2_0))."""
        return torch.sqrt(self.one_minus_variance(t) / (1 - self.sigma2_0))

    def variance_rate(self, t: Tensor) -> Tensor:
        """Time derivative of the variance, β (1 − σ²)."""
        return self.diffusion_squared(t) * self.one_minus_variance(t)

    def normal_variance(self, t: Tensor) -> Tensor:
        """Variance 1 at all times: a standard normal stays one."""
        return torch.ones_like(t)


@dataclass(frozen=True)
class _LinearRate:
    """The noise rate β(t) = β_0 + (β_1 − β_0) t of the VPSDE and the sub-VPSDE; beta_end > beta_start > 0."""

    beta_start: float
    beta_end: float
    sigma2_0: float
    time_eps: float

    @classmethod
    def from_config(cls, config: SdeConfig) -> Self:
        """Build from beta_start, beta_end, sigma2_0 and time_eps."""
        return cls(config.beta_start, config.beta_end, config.sigma2_0, config.time_eps)

    @property
    def beta_slope(self) -> float:
        """β_1 − β_0."""
        return self.beta_end - self.beta_start

    def beta(self, t: Tensor) -> Tensor:
        """β(t)."""
        return self.beta_start + self.beta_slope * t

    def beta_integral(self, t: Tensor) -> Tensor:
        """B(t), the integral of β from 0 to t."""
        return t * (self.beta_start + 0.5 * self.beta_slope * t)

    def time_of_integral(self, integral: Tensor) -> Tensor:
        """Time t with B(t) = integral, same shape."""
        # The textbook root subtracts two nearly equal numbers for small t; here the square root is below the line.
        return 2 * integral / (self.beta_start + torch.sqrt(self.beta_start**2 + 2 * self.beta_slope * integral))


class VPSDE(_LinearRate, VariancePreservingSde):
    """dz = −½β(t) z dt + √β(t) dw with linear β, LSGM's default; σ_t² = 1 − (1 − sigma2_0) exp(−B(t))."""

    def diffusion_squared(self, t: Tensor) -> Tensor:
        """g²(t) = β(t)."""
        return self.beta(t)

    def variance(self, t: Tensor) -> Tensor:
        """σ_t² = (1 − e^{−B}) + sigma2_0 e^{−B}."""
        integral = self.beta_integral(t)
        return -torch.expm1(-integral) + self.sigma2_0 * torch.exp(-integral)

    def one_minus_variance(self, t: Tensor) -> Tensor:
        """1 − σ_t² = (1 − sigma2_0) e^{−B}."""
        return (1 - self.sigma2_0) * torch.exp(-self.beta_integral(t))

    def time_of_variance(self, variance: Tensor) -> Tensor:
        """Inverse of `variance`, for values in [sigma2_0, 1); same shape."""
        return self.time_of_integral(math.log1p(-self.sigma2_0) - torch.log1p(-variance))


@dataclass(frozen=True)
class _GeometricSettings:
    """What the geometric VPSDE and the VESDE are made of."""

    sigma2_min: float
    sigma2_max: float
    time_eps: float

    @property
    def log_ratio(self) -> float:
        """ln R = ln(sigma2_max / sigma2_min)."""
        return math.log(self.sigma2_max / self.sigma2_min)


@dataclass(frozen=True)
class GeometricVPSDE(_GeometricSettings, VariancePreservingSde):
    """Variance-preserving SDE with σ_t² = sigma2_min R^t − sigma2_min + sigma2_0; log_ratio is ln R.

    With sigma2_0 = sigma2_min, the paper's only setting, ln σ_t² is linear in t. Then the integrand of the cross
    entropy is flat for a standard normal, and uniform times are already the importance-sampled ones.
    """

    sigma2_0: float

    @classmethod
    def from_config(cls, config: SdeConfig) -> Self:
        """Build from sigma2_min, sigma2_max, sigma2_0 and time_eps; the variance at t = 1 must be below 1."""
        low, high = config.sigma2_min, config.sigma2_max
        if high is None:
            raise ConfigError("sde.sigma2_max is null: a geometric VPSDE needs a number below 1, such as 0.999")
        if (last := high - low + config.sigma2_0) >= 1:
            raise ConfigError(
                f"sde.sigma2_0 ({config.sigma2_0}) makes the variance at t = 1 equal to {last:.6g}, which must be "
                f"below 1: lower it, or sde.sigma2_max ({high})"
            )
        return cls(low, high, config.time_eps, config.sigma2_0)

    def diffusion_squared(self, t: Tensor) -> Tensor:
        """g²(t) = β(t) = ln R · sigma2_min R^t / (1 − σ_t²)."""
        growth = self.sigma2_min * torch.exp(self.log_ratio * t)
        return self.log_ratio * growth / self.one_minus_variance(t)

    def variance(self, t: Tensor) -> Tensor:
        """σ_t² = sigma2_min (R^t − 1) + sigma2_0."""
        return self.sigma2_min * torch.expm1(self.log_ratio * t) + self.sigma2_0

    def one_minus_variance(self, t: Tensor) -> Tensor:
        """1 − σ_t², same shape as t; counted from its value at t = 1, where it is small."""
        last = 1 - self.sigma2_0 + self.sigma2_min - self.sigma2_max
        return last - self.sigma2_max * torch.expm1(-self.log_ratio * (1 - t))

    def time_of_variance(self, variance: Tensor) -> Tensor:
        """Inverse of `variance`, same shape."""
        return torch.log1p((variance - self.sigma2_0) / self.sigma2_min) / self.log_ratio


class SubVPSDE(_LinearRate, Sde):
    """dz = −½β(t) z dt + √(β(t) (1 − a²)) dw with linear β and a = exp(−B(t)); σ_t² = (1 − a)² + sigma2_0 a.

    Source: Song et al., 2021.
    """

    @property
    def vpsde(self) -> VPSDE:
        """The VPSDE with the same noise rate: importance sampling draws times as for that one."""
        return VPSDE(self.beta_start, self.beta_end, self.sigma2_0, self.time_eps)

    def drift(self, t: Tensor) -> Tensor:
        """Drift coefficient f(t) = −½ β(t)."""
        return -0.5 * self.beta(t)

    def diffusion_squared(self, t: Tensor) -> Tensor:
        """g²(t) = β(t) (1 − e^{−2B})."""
        return -self.beta(t) * torch.expm1(-2 * self.beta_integral(t))

    def variance(self, t: Tensor) -> Tensor:
        """σ_t² = (1 − e^{−B})² + sigma2_0 e^{−B}."""
        integral = self.beta_integral(t)
        return torch.expm1(-integral).square() + self.sigma2_0 * torch.exp(-integral)

    def mean(self, t: Tensor) -> Tensor:
        """Mean coefficient m_t = e^{−B/2}."""
        return torch.exp(-0.5 * self.beta_integral(t))

    def time_of_variance(self, variance: Tensor) -> Tensor:
        """Inverse of `variance`, for values in [sigma2_0, 1); same shape.

        With sigma2_0 > 0 the variance dips a little, to sigma2_0 (1 − sigma2_0 / 4), before it grows: take that branch.
        """
        # The variance is a quadratic in u = 1 − a, namely u² + sigma2_0 (1 − u).
        root = torch.sqrt(self.sigma2_0**2 + 4 * (variance - self.sigma2_0))
        return self.time_of_integral(-torch.log1p(-0.5 * (self.sigma2_0 + root)))

    def normal_variance(self, t: Tensor) -> Tensor:
        """Variance (1 − a)² + a of z_t if the latents at t = 0 are standard normal."""
        integral = self.beta_integral(t)
        return torch.expm1(-integral).square() + torch.exp(-integral)


class VESDE(_GeometricSettings, Sde):
    """dz = g(t) dw with σ_t² = sigma2_min R^t, R = sigma2_max / sigma2_min; p(z_1) = N(0, sigma2_max I).

    sigma2_max is the largest squared distance between two training latents, measured before the prior is trained.
    """

    @classmethod
    def from_config(cls, config: SdeConfig) -> Self:
        """Build from sigma2_min, sigma2_max and time_eps; sigma2_max must be known and above sigma2_min."""
        low, high = config.sigma2_min, config.sigma2_max
        if high is None:
            raise ConfigError("sde.sigma2_max is null: a VESDE's is measured when training begins, or set a number")
        if high <= low:
            raise ConfigError(
                f"sde.sigma2_max ({high}) must exceed sde.sigma2_min ({low}): "
                "if it was measured, the latents do not spread; lower sde.sigma2_min and sde.sigma2_0"
            )
        return cls(low, high, config.time_eps)

    @property
    def sigma2_0(self) -> float:
        """Variance at t = 0, which is sigma2_min for this SDE."""
        return self.sigma2_min

    @property
    def base_variance(self) -> float:
        """Variance of p(z_1): sigma2_max."""
        return self.sigma2_max

    def drift(self, t: Tensor) -> Tensor:
        """Drift coefficient f(t) = 0."""
        return torch.zeros_like(t)

    def diffusion_squared(self, t: Tensor) -> Tensor:
        """g²(t) = ln R · σ_t²."""
        return self.log_ratio * self.variance(t)

    def variance(self, t: Tensor) -> Tensor:
        """σ_t² = sigma2_min R^t."""
        return self.sigma2_min * torch.exp(self.log_ratio * t)

    def mean(self, t: Tensor) -> Tensor:
        """Mean coefficient m_t = 1."""
        return torch.ones_like(t)

    def time_of_variance(self, variance: Tensor) -> Tensor:
        """Inverse of `variance`, same shape."""
        return torch.log(variance / self.sigma2_min) / self.log_ratio

    def normal_variance(self, t: Tensor) -> Tensor:
        """Variance N_t = 1 + σ_t² − sigma2_min of z_t if the latents at t = 0 are standard normal."""
        return 1 + self.sigma2_min * torch.expm1(self.log_ratio * t)


SDES: dict[str, type[Sde]] = {"vpsde": VPSDE, "geometric": GeometricVPSDE, "sub_vpsde": SubVPSDE, "vesde": VESDE}


def build_sde(config: SdeConfig) -> Sde:
    """Build the forward process that the settings name; a VESDE's sigma2_max must be filled in by then.

    Raises:
        ConfigError: settings that the SDE cannot have, or a variance of 0 at time_eps, where weights divide by it.
    """
    sde = SDES[config.type].from_config(config)
    if value_at(sde.variance, sde.time_eps) <= 0:
        raise ConfigError(
            f"sde.time_eps ({config.time_eps}) must be positive for {config.type} with sde.sigma2_0 = "
            f"{config.sigma2_0}: the variance there is 0 and the weights diverge"
        )
    return sde


def value_at(function: Callable[[Tensor], Tensor], time: float) -> float:
    """Value of one of an SDE's functions at one time, in float64."""
    return function(torch.tensor(time, dtype=torch.float64)).item()


def _broadcast(values: Tensor, like: Tensor) -> Tensor:
    """Append axes to per-sample values so that they broadcast against `like`, and widen them to float32 at least."""
    values = values.to(torch.promote_types(values.dtype, torch.float32))
    return values.reshape(values.shape + (1,) * (like.ndim - values.ndim))
