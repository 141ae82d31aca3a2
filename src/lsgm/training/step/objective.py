"""The terms of both stages' losses (method 6 and 8).

    KL_g = sum over the group of [log q + u_g]
    NELBO = reconstruction + sum_g KL_g
    L_q = batch mean of [reconstruction + kappa sum_g gamma_g KL_g],   L_p = batch mean of lambda_p |eps - eps_theta|^2

u_g is -log N(eps_g; 0, 1), and for the groups that the score-based prior models its share of Theorem 1's estimate.
All terms are estimates from one sample, and in float32 at least.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lsgm import distributed
from lsgm.models import Vae, VaeOutput

from .balancing import balancing_coefficients

ACTIVE_NATS = 0.1
LOG_TWO_PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class KlWeights:
    """How KL terms enter the VAE's loss.

    Attributes:
        kappa: coefficient of the step.
        sizes: (groups,), from `balancing.group_sizes`, if the groups' terms are balanced; else None.
        coefficients: gamma, (groups,), of the batch that the samples at hand are a part of; None if they are all.
    """

    kappa: float
    sizes: Tensor | None = None
    coefficients: Tensor | None = None

    @property
    def balances(self) -> bool:
        """Whether the groups' terms have different weights: only while kappa anneals."""
        return self.sizes is not None and self.kappa < 1


@dataclass(frozen=True)
class Nelbo:
    """The negative evidence lower bound of a batch, by parts, in nats.

    Attributes:
        reconstruction: (B,).
        channel_kl: (B, z) for every group: KL of each latent channel.
        kl: (B, groups).
    """

    reconstruction: Tensor
    channel_kl: list[Tensor]
    kl: Tensor

    def vae_loss(self, weights: KlWeights) -> Tensor:
        """L_q without its regulariser, a 0-d tensor."""
        kl = self.kl @ self._coefficients(weights) if weights.balances else self.kl.sum(dim=1)
        return (self.reconstruction + weights.kappa * kl).mean()

    def _coefficients(self, weights: KlWeights) -> Tensor:
        given = weights.coefficients
        return balancing_coefficients(self.kl, weights.sizes) if given is None else given

    def active_channels(self) -> Tensor:
        """Latent channels whose mean KL over all processes is above 0.1 nat, counted in each group, (groups,)."""
        return torch.stack([(distributed.mean(kl.mean(dim=0)) > ACTIVE_NATS).sum() for kl in self.channel_kl])


def nelbo(vae: Vae, output: VaeOutput, x: Tensor, cross_entropy: Tensor | None) -> Nelbo:
    """Put the terms together.

    Args:
        vae: where `output` comes from.
        output: an encoding and its decoding.
        x: (B, C, H, W), the images.
        cross_entropy: elementwise estimate for the prior's latent, (B, *vae.prior_shape), from
            `diffusion.cross_entropy_terms`; None for a standard Normal prior on every group.

    Returns:
        The parts, with gradient.

    Source: LSGM Eqs. (2), (8).
    """
    energies = [] if cross_entropy is None else vae.split(cross_entropy)
    energies += [normal_energy(latent) for latent in output.latents[len(energies) :]]
    channel_kl = [(log_q + energy).sum(dim=(2, 3)) for log_q, energy in zip(output.log_q, energies, strict=True)]
    kl = torch.stack([part.sum(dim=1) for part in channel_kl], dim=1)
    return Nelbo(vae.reconstruction(output.params, x), channel_kl, kl)


def normal_energy(latent: Tensor) -> Tensor:
    """-log N(latent; 0, 1) of every element, in nats."""
    return 0.5 * (latent.square() + LOG_TWO_PI)
