"""Detection of latent channels that the encoder does not use; the prior need not model them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lsgm.models import Vae
from lsgm.objective import ACTIVE_NATS, normal_energy

MAX_BATCHES = 1001


@torch.no_grad()
def inactive_channels(vae: Vae, batches: Iterable[tuple[Tensor, list[Tensor]]]) -> Tensor:
    """Channels of the prior's latent whose KL from a standard Normal is at most 0.1 nat.

    Args:
        vae: in evaluation mode.
        batches: images (B, C, H, W) with posterior noise, one tensor per latent group; at least one batch.

    Returns:
        (channels,), bool: true where the channel is inactive.
    """
    total = None
    count = 0
    for x, noises in batches:
        kl = channel_kl(vae, x, noises)
        total = kl if total is None else total + kl
        count += 1
    return total / count <= ACTIVE_NATS


@torch.no_grad()
def channel_kl(vae: Vae, x: Tensor, noises: list[Tensor]) -> Tensor:
    """KL of each channel of the prior's latent from N(0, 1) in one batch.

    Args:
        vae: the backbone.
        x: (B, C, H, W).
        noises: posterior noise, one tensor per latent group.

    Returns:
        (channels,), nats: batch mean of the sum over positions of log q - log N(0, 1).
    """
    encoding = vae.encode(x, noises)
    pairs = zip(encoding.log_q[: vae.num_prior_groups], encoding.latents, strict=False)
    return torch.cat([(log_q + normal_energy(latent)).sum(dim=(2, 3)).mean(dim=0) for log_q, latent in pairs])
