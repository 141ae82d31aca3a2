"""Importance-sampled times for w_un of the VPSDE with linear noise rate (LSGM App. B; spec: method 5).

The integrand D (1 − σ_t²) is a Gaussian in t, cut off at both ends: with A = ½(β_1 − β_0) and b = β_0 / (β_1 − β_0),

    1 − σ_t² = (1 − sigma2_0) e^{A b²} exp(−A (t + b)²),

so that both its integral Z_un and the inverse of its CDF are error functions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lsgm.config import ConfigError

from ..vpsde import VPSDE
from .base import TimeProposal

# Below this the difference of the two error functions has too few digits left to be inverted.
SMALLEST_MASS = 1e-8


class UnweightedProposal(TimeProposal):
    """r_un(t) = (1 − σ_t²) / Z_un."""

    def __init__(self, sde: VPSDE) -> None:
        self.sde = sde
        self.curvature = 0.5 * sde.beta.slope
        self.shift = sde.beta.start / sde.beta.slope
        self.first = math.erf(math.sqrt(self.curvature) * (sde.time_eps + self.shift))
        self.last = math.erf(math.sqrt(self.curvature) * (1 + self.shift))
        if self.last - self.first < SMALLEST_MASS:
            raise ConfigError(
                f"objective.time = is with objective.weighting = un: sde.beta_start ({sde.beta.start}) is too close to "
                f"sde.beta_end ({sde.beta.end}) for r_un in double precision; use objective.time = uniform"
            )

    @property
    def normaliser(self) -> float:
        """Z_un, the integral of 1 − σ_t² over [time_eps, 1]."""
        gaussian = math.sqrt(math.pi / (4 * self.curvature)) * (self.last - self.first)
        return (1 - self.sde.sigma2_0) * math.exp(self.curvature * self.shift**2) * gaussian

    @property
    def published_factor(self) -> float:
        """The published normaliser has e^{b/2} in place of e^{A b²}, 1.0023 times too much."""
        return math.exp(0.5 * self.shift - self.curvature * self.shift**2)

    def time(self, rho: Tensor) -> Tensor:
        """Inverse CDF by the inverse error function, same shape as rho."""
        mass = rho * self.last + (1 - rho) * self.first
        return torch.special.erfinv(mass) / math.sqrt(self.curvature) - self.shift

    def density(self, t: Tensor) -> Tensor:
        """(1 − σ_t²) / Z_un, same shape as t."""
        return self.sde.one_minus_variance(t) / self.normaliser
