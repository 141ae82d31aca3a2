"""KL balancing: weights of the groups' KL terms that keep all groups in use early on (method 7.4; NVAE, App. A)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lsgm import distributed

# Keeps the weight of a group whose KL is still zero positive.
MINIMUM_KL_NATS = 0.01


def group_sizes(latent_shapes: Sequence[tuple[int, int, int]]) -> list[float]:
    """alpha_g of every group: (2^i)^2 / (groups at its scale), i = 0 at the coarsest, divided by the smallest.

    Args:
        latent_shapes: (channels, height, width) of every group, coarsest scale first.

    Returns:
        One number per group; for three scales of equally many groups 1, 4 and 16.
    """
    sides = [shape[1] for shape in latent_shapes]
    scales = sorted(set(sides))
    sizes = [4.0 ** scales.index(side) / sides.count(side) for side in sides]
    return [size / min(sizes) for size in sizes]


def balancing_coefficients(kl: Tensor, sizes: Tensor) -> Tensor:
    """gamma_g, proportional to each group's mean |KL| per size over all processes, with mean 1 and no gradient.

    Args:
        kl: (batch, groups), nats.
        sizes: (groups,), from `group_sizes`.

    Returns:
        (groups,).
    """
    with torch.no_grad():
        raw = (distributed.mean(kl.abs().mean(dim=0)) + MINIMUM_KL_NATS) / sizes
        return raw / raw.mean()
