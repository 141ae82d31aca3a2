"""Posterior draws for evaluation, keyed by image index and sample number, and their densities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lsgm.randomness import normal_rows
from lsgm.sampling import state_dtype

if TYPE_CHECKING:
    from lsgm.models import Vae

POSTERIOR_PURPOSE = "evaluation: posterior"


@dataclass(frozen=True)
class PosteriorDraw:
    """One posterior draw per row.

    Attributes:
        latents: all groups in decoding order, (B, c, h, w) each.
        log_q: log q of the draw summed over all groups, (B,), nats.
        reconstruction: -log p(x|z), (B,), nats.
    """

    latents: list[Tensor]
    log_q: Tensor
    reconstruction: Tensor


def posterior_noise(
    shapes: Sequence[Sequence[int]], indices: Sequence[int], seed: int, sample: int, device: torch.device
) -> list[Tensor]:
    """Standard normals for one draw from q(z|x), one tensor (B, *shape) per group.

    Args:
        shapes: (c, h, w) of each group.
        indices: index of each image in its data set.
        seed: of the draws.
        sample: number of the posterior draw, 0 where there is one.
        device: where the result goes.
    """
    sizes = [math.prod(shape) for shape in shapes]
    # One draw for all groups: a generator per group would cost more than its numbers.
    joined = normal_rows(indices, (sum(sizes),), seed, POSTERIOR_PURPOSE, sample).to(device)
    parts = joined.split(sizes, dim=1)
    return [part.reshape(len(indices), *shape) for part, shape in zip(parts, shapes, strict=True)]


def draw_posterior(vae: Vae, images: Tensor, noises: Sequence[Tensor]) -> PosteriorDraw:
    """Draw from the posterior, decode, and evaluate log q and the reconstruction term.

    Args:
        vae: in evaluation mode.
        images: (B, C, H, W) in [-1, 1], padded.
        noises: see `posterior_noise`.

    Source: LSGM Eq. (8), first two terms.
    """
    output = vae(images, noises)
    dtype = state_dtype(images.device)
    log_q = sum(group.to(dtype).flatten(1).sum(dim=1) for group in output.log_q)
    return PosteriorDraw(list(output.latents), log_q, vae.reconstruction(output.params, images).to(dtype))


def standard_normal_log_prob(latents: Sequence[Tensor]) -> Tensor:
    """Return log N(z; 0, I) summed over all groups, (B,), nats, in solver precision; a scalar 0 for no groups."""
    total = torch.zeros(())
    for latent in latents:
        values = latent.to(state_dtype(latent.device)).flatten(1)
        log_prob = -0.5 * (values**2).sum(dim=1) - 0.5 * math.log(2 * math.pi) * values.shape[1]
        total = total.to(log_prob) + log_prob
    return total
