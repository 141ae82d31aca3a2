"""The VESDE's largest variance: the largest squared distance between two training latents.

It is measured once, on the encodings by the trained VAE, before the prior is built.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from lsgm.models import Vae

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
