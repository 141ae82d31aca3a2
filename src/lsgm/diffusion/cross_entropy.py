"""Theorem 1: the cross entropy CE(q(z_0|x) ‖ p(z_0)) by denoising, and the losses made of it (spec: method 2, 6).

With the noise prediction ε_θ = −σ_t ∇ log p(z_t) the theorem reads

    CE = E_{t, ε}[w_ll(t)/2 · ‖ε − ε_θ(z_t, t)‖²] + D/2 · ln(2πe σ²(time_eps)),

up to the distance of q(z_1) from the base distribution. Everything is in float32 at least, under mixed precision too:
weights reach 7e4 at t = 1 where the squared errors are correspondingly small.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .base import Sde
from .time_sampling import TimeSample


def denoising_error(
    sde: Sde, prior: Callable[[Tensor, Tensor], Tensor], z0: Tensor, noise: Tensor, times: TimeSample
) -> Tensor:
    """Squared error of the prior's noise prediction at diffused latents.

    Args:
        sde: the forward process.
        prior: the prior's noise prediction, (z_t, t) -> ε_θ of the shape of z_t.
        z0: latents, (B, ...); detach them if the gradient must not reach the encoder.
        noise: standard normals ε, same shape as z0.
        times: the batch's times, (B,).

    Returns:
        (ε − ε_θ(z_t, t))² elementwise, same shape as z0, float32 at least.

    Source: LSGM Eqs. (8), (9).
    """
    z0, noise = _at_least_float32(z0), _at_least_float32(noise)
    prediction = _at_least_float32(prior(sde.perturb(z0, noise, times.time), times.time))
    return (noise - prediction).square()


def cross_entropy_terms(sde: Sde, squared_error: Tensor, vae_weight: Tensor) -> Tensor:
    """One-sample estimate of Theorem 1 dimension by dimension: what the latent groups' KL terms are made of.

    Args:
        sde: the forward process that the times were drawn for.
        squared_error: from `denoising_error`, (B, ...).
        vae_weight: λ_q of the times, (B,).

    Returns:
        λ_q (ε − ε_θ)² + ½ ln(2πe σ²(time_eps)), same shape as squared_error, in nats.
    """
    weight = vae_weight.reshape(-1, *(1,) * (squared_error.ndim - 1))
    return weight * squared_error + sde.cross_entropy_constant()


def cross_entropy(sde: Sde, squared_error_sum: Tensor, vae_weight: Tensor, num_dims: int) -> Tensor:
    """One-sample estimate of the cross entropy of Theorem 1, constant included.

    Args:
        sde: the forward process that the times were drawn for.
        squared_error_sum: ‖ε − ε_θ‖², (B,).
        vae_weight: λ_q of the times, (B,).
        num_dims: dimension D of the latent space.

    Returns:
        Estimate for each sample, (B,), in nats.

    Source: LSGM Theorem 1, Eq. (6).
    """
    return vae_weight * _at_least_float32(squared_error_sum) + num_dims * sde.cross_entropy_constant()


def prior_loss(squared_error: Tensor, prior_weight: Tensor) -> Tensor:
    """One-sample estimate of the prior's own objective, w_ll, w_un or w_re as the weights say.

    Args:
        squared_error: from `denoising_error`, (B, ...).
        prior_weight: λ_p of the times, (B,).

    Returns:
        λ_p ‖ε − ε_θ‖² for each sample, (B,).

    Source: LSGM Eq. (9).
    """
    return prior_weight * _at_least_float32(squared_error).flatten(start_dim=1).sum(dim=1)


def _at_least_float32(values: Tensor) -> Tensor:
    """Widen half precision to float32; leave float32 and float64 as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
