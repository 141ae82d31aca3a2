"""The objective: Theorem 1, the NELBO and its KL terms, KL balancing (LSGM Eqs. (2), (6), (8), (9); App. A of NVAE).

With the noise prediction ε_θ = −σ_t ∇ log p(z_t), Theorem 1 reads, up to the distance of q(z_1) from the base,

    CE(q(z_0|x) ‖ p(z_0)) = E_{t, ε}[w_ll(t)/2 · ‖ε − ε_θ(z_t, t)‖²] + D/2 · ln(2πe σ²(time_eps)).

The losses of a batch are

    NELBO = reconstruction + Σ_g KL_g,   KL_g = Σ over the group of [log q + u],
    L_q = mean of [reconstruction + kl_coeff Σ_g γ_g KL_g],   L_p = mean of λ_p ‖ε − ε_θ‖²,

where u is −log N(z; 0, 1), and for groups that the score-based prior models their share of Theorem 1's estimate. All
terms are estimates from one sample, in float32 at least under mixed precision too: weights reach 7e4 at t = 1, where
the squared errors are correspondingly small (docs/method.md, Theorem 1; NELBO and its KL terms).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lsgm import distributed
from lsgm.sde import Sde, value_at

if TYPE_CHECKING:
    from lsgm.models import Vae, VaeOutput

ACTIVE_NATS = 0.1
LOG_TWO_PI = math.log(2 * math.pi)
# Keeps the balancing weight of a group whose KL is still zero positive.
MINIMUM_KL_NATS = 0.01


def denoising_error(
    sde: Sde, prior: Callable[[Tensor, Tensor], Tensor], z0: Tensor, noise: Tensor, time: Tensor
) -> Tensor:
    """Squared error of the prior's noise prediction at diffused latents.

    Args:
        sde: the forward process.
        prior: the prior's noise prediction, (z_t, t) -> ε_θ of the shape of z_t.
        z0: latents, (B, ...); detach them if the gradient must not reach the encoder.
        noise: standard normals ε, same shape as z0.
        time: (B,).

    Returns:
        (ε − ε_θ(z_t, t))² elementwise, same shape as z0, float32 at least.

    Source: LSGM Eqs. (8), (9).
    """
    z0, noise = _at_least_float32(z0), _at_least_float32(noise)
    prediction = _at_least_float32(prior(sde.perturb(z0, noise, time), time))
    return (noise - prediction).square()


def cross_entropy_constant(sde: Sde) -> float:
    """Constant of Theorem 1 for one latent dimension, ½ ln(2πe σ²(time_eps)), in nats."""
    return 0.5 * (1.0 + math.log(2 * math.pi * value_at(sde.variance, sde.time_eps)))


def cross_entropy(sde: Sde, squared_error: Tensor, vae_weight: Tensor) -> Tensor:
    """One-sample estimate of Theorem 1 dimension by dimension: what the latent groups' KL terms are made of.

    Args:
        sde: the forward process that the times were drawn for.
        squared_error: from `denoising_error`, (B, ...).
        vae_weight: λ_q of the times, (B,).

    Returns:
        λ_q (ε − ε_θ)² + ½ ln(2πe σ²(time_eps)), same shape as squared_error, in nats.

    Source: LSGM Theorem 1, Eq. (6).
    """
    weight = vae_weight.reshape(-1, *(1,) * (squared_error.ndim - 1))
    return weight * squared_error + cross_entropy_constant(sde)


def prior_loss(squared_error: Tensor, prior_weight: Tensor) -> Tensor:
    """L_p: the prior's own objective, w_ll, w_un or w_re as the weights λ_p, (B,), say; 0-d.

    Source: LSGM Eq. (9).
    """
    return (prior_weight * _at_least_float32(squared_error).flatten(start_dim=1).sum(dim=1)).mean()


@dataclass(frozen=True)
class KlWeights:
    """How KL terms enter the VAE's loss.

    Attributes:
        kl_coeff: coefficient of the step.
        sizes: (groups,), from `group_sizes`, if the groups' terms are balanced; else None.
        coefficients: γ, (groups,), of the batch that the samples at hand are a part of; None if they are all of it.
    """

    kl_coeff: float
    sizes: Tensor | None = None
    coefficients: Tensor | None = None

    @property
    def balances(self) -> bool:
        """Whether the groups' terms have different weights: only while the KL coefficient is annealed."""
        return self.sizes is not None and self.kl_coeff < 1


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
        """L_q without its regulariser, 0-d."""
        kl = self.kl.sum(dim=1)
        if weights.balances:
            given = weights.coefficients
            kl = self.kl @ (balancing_coefficients(self.kl, weights.sizes) if given is None else given)
        return (self.reconstruction + weights.kl_coeff * kl).mean()

    def active_channels(self) -> Tensor:
        """Latent channels whose mean KL over all processes is above 0.1 nat, counted in each group, (groups,)."""
        return torch.stack([(distributed.mean(kl.mean(dim=0)) > ACTIVE_NATS).sum() for kl in self.channel_kl])

    def detach(self) -> Nelbo:
        """The same numbers without gradient."""
        return Nelbo(self.reconstruction.detach(), [kl.detach() for kl in self.channel_kl], self.kl.detach())


def nelbo(vae: Vae, output: VaeOutput, x: Tensor, latent_cross_entropy: Tensor | None) -> Nelbo:
    """Put the terms of the bound together, with gradient.

    Args:
        vae: where `output` comes from.
        output: an encoding and its decoding.
        x: (B, C, H, W), the images.
        latent_cross_entropy: estimate for the prior's latent, (B, *vae.prior_shape), from `cross_entropy`; None for a
            standard Normal prior on every group.

    Source: LSGM Eqs. (2), (8).
    """
    energies = [] if latent_cross_entropy is None else vae.split(latent_cross_entropy)
    energies += [normal_energy(latent) for latent in output.latents[len(energies) :]]
    channel_kl = [(log_q + energy).sum(dim=(2, 3)) for log_q, energy in zip(output.log_q, energies, strict=True)]
    kl = torch.stack([part.sum(dim=1) for part in channel_kl], dim=1)
    return Nelbo(vae.reconstruction(output.params, x), channel_kl, kl)


def normal_energy(latent: Tensor) -> Tensor:
    """-log N(latent; 0, 1) of every element, in nats."""
    return 0.5 * (latent.square() + LOG_TWO_PI)


def group_sizes(latent_shapes: Sequence[tuple[int, int, int]]) -> list[float]:
    """α_g of every group: (2^i)² / (groups at its scale), i = 0 at the coarsest, divided by the smallest.

    Args:
        latent_shapes: (channels, height, width) of every group, coarsest scale first.

    Returns:
        One number per group; for three scales of equally many groups 1, 4 and 16.

    Source: NVAE, App. A.
    """
    sides = [shape[1] for shape in latent_shapes]
    scales = sorted(set(sides))
    sizes = [4.0 ** scales.index(side) / sides.count(side) for side in sides]
    return [size / min(sizes) for size in sizes]


def balancing_coefficients(kl: Tensor, sizes: Tensor) -> Tensor:
    """γ_g, proportional to each group's mean |KL| per size over all processes, with mean 1 and no gradient.

    Args:
        kl: (batch, groups), nats.
        sizes: (groups,), from `group_sizes`.

    Returns:
        (groups,).
    """
    with torch.no_grad():
        raw = (distributed.mean(kl.abs().mean(dim=0)) + MINIMUM_KL_NATS) / sizes
        return raw / raw.mean()


def _at_least_float32(values: Tensor) -> Tensor:
    """Widen half precision to float32; leave float32 and float64 as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
