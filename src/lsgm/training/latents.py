"""What stage 2 must know of the backbone's latents before it starts: inactive channels, and the VESDE's scale."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lsgm.models.vae import Vae
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


BLOCK = 1024


@torch.no_grad()
def training_latents(vae: Vae, batches: Iterable[tuple[Tensor, list[Tensor]]]) -> Tensor:
    """Encode images to the prior's latents.

    Args:
        vae: in evaluation mode.
        batches: images (B, C, H, W) with posterior noise, one tensor per latent group.

    Returns:
        (images, D) on the CPU, float32.
    """
    rows = [vae.join(vae.encode(x, noises).latents).flatten(1).float().cpu() for x, noises in batches]
    return torch.cat(rows)


@torch.no_grad()
def largest_squared_distance(latents: Tensor, device: torch.device, block: int = BLOCK) -> float:
    """Largest squared Euclidean distance between two rows, block by block.

    Args:
        latents: (N, D), N of at least 2.
        device: where the products are computed.
        block: rows held there at a time, twice.

    Returns:
        The squared distance; the pair is found in float32 and measured in float64.
    """
    # Distances by inner products lose digits where the rows are far from the origin.
    blocks = (latents - latents.mean(dim=0)).split(block)
    best, pair = -1.0, (0, 0)
    for first, rows in enumerate(blocks):
        rows = rows.to(device)
        for second in range(first, len(blocks)):
            distances = torch.cdist(rows, blocks[second].to(device))
            value, index = distances.flatten().max(dim=0)
            if value.item() > best:
                row, column = divmod(index.item(), distances.shape[1])
                best, pair = value.item(), (first * block + row, second * block + column)
    left, right = (latents[index].double() for index in pair)
    return (left - right).square().sum().item()
