"""Times and loss weights of a batch: a proposal r(t) together with the weightings (LSGM Eqs. (8), (9); spec: method 5).

λ_p(t) = w(t) / (2 r(t)) and λ_q(t) = w_ll(t) / (2 r(t)) make Σ_d (ε − ε_θ)² an unbiased estimate of the prior's and
of the encoder's integral over [time_eps, 1], whatever r is. The published code's weights differ from these in three
constants (spec: method 13, items 1 to 3), which `official_weights` brings in.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..base import Sde
from ..weighting import WEIGHTINGS, w_ll
from .base import TimeProposal


@dataclass(frozen=True)
class TimeSample:
    """Times of a batch and the weights of its squared errors, each (B,).

    Attributes:
        time: t in [time_eps, 1].
        prior_weight: λ_p, multiplies Σ_d (ε − ε_θ)² in the prior's loss.
        vae_weight: λ_q, multiplies it in the encoder's and decoder's loss.
    """

    time: Tensor
    prior_weight: Tensor
    vae_weight: Tensor

    def join(self, other: TimeSample) -> TimeSample:
        """This batch followed by another one: for a single pass of the prior over both."""
        pairs = (
            (self.time, other.time),
            (self.prior_weight, other.prior_weight),
            (self.vae_weight, other.vae_weight),
        )
        return TimeSample(*(torch.cat(pair) for pair in pairs))


class TimeSampler:
    """Draws times for one SDE and one objective. Build it with `build_time_sampler`."""

    def __init__(self, sde: Sde, weighting: str, proposal: TimeProposal, official_weights: bool = False) -> None:
        self.sde = sde
        self.weighting = WEIGHTINGS[weighting]
        self.proposal = proposal
        self.vae_factor = 0.5 * (proposal.published_factor if official_weights else 1.0)
        # Published: weight 1 in place of ½ for the unweighted objective, for the prior only.
        self.prior_factor = self.vae_factor * (2.0 if official_weights and weighting == "un" else 1.0)

    def sample(self, rho: Tensor) -> TimeSample:
        """Turn uniform draws into times and weights.

        Args:
            rho: uniform on [0, 1), (B,); ρ = 0 is time_eps, ρ = 1 is t = 1.

        Returns:
            Times and weights on rho's device, in rho's dtype but float32 at least. They are computed in float64: it
            costs nothing for a batch of scalars, and 1 − σ² at t = 1 is too small for the rounding of a float32 time.
        """
        time = self.proposal.time(rho.double()).clamp(self.sde.time_eps, 1.0)
        scale = 1 / self.proposal.density(time)
        prior_weight = self.prior_factor * scale * self.weighting(self.sde, time)
        vae_weight = self.vae_factor * scale * w_ll(self.sde, time)
        dtype = torch.promote_types(rho.dtype, torch.float32)
        return TimeSample(time.to(dtype), prior_weight.to(dtype), vae_weight.to(dtype))

    def density(self, t: Tensor) -> Tensor:
        """Density r(t) of the times.

        Args:
            t: times within [time_eps, 1], any shape.

        Returns:
            r(t), normalised on [time_eps, 1]; same shape and dtype.
        """
        return self.proposal.density(t)
