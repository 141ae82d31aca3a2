"""The layers that all blocks of the score network are made of, each with its initialisation.

They are torch's own classes, so that the spectral and norm regularisers find them by type: the per-pixel
projections of the attention are linear layers and not 1x1 convolutions, since their weights are not regularised.
"""

from __future__ import annotations

from torch import nn

from lsgm.config import ConfigError

from .initialisation import variance_scaling_

MAX_GROUPS = 32
CHANNELS_PER_GROUP = 4
NORM_EPS = 1e-6


def convolution(
    in_channels: int, out_channels: int, kernel_size: int = 3, scale: float = 1.0, stride: int = 1
) -> nn.Conv2d:
    """Build a convolution: weights V(scale), bias zero; zero-padded to keep the resolution, not padded if strided."""
    padding = kernel_size // 2 if stride == 1 else 0
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)
    variance_scaling_(layer.weight, scale)
    nn.init.zeros_(layer.bias)
    return layer


def linear(in_features: int, out_features: int, scale: float = 1.0) -> nn.Linear:
    """Build a linear layer: weights V(scale), bias zero."""
    layer = nn.Linear(in_features, out_features)
    variance_scaling_(layer.weight, scale)
    nn.init.zeros_(layer.bias)
    return layer


def group_norm(channels: int) -> nn.GroupNorm:
    """Build GN(c): min(c // 4, 32) groups.

    Raises:
        ConfigError: the groups do not divide the channels. This can happen where the U-Net concatenates two levels,
            or a level and the input pyramid.
    """
    groups = min(channels // CHANNELS_PER_GROUP, MAX_GROUPS)
    if groups < 1 or channels % groups:
        raise ConfigError(
            f"prior.num_channels x prior.channel_mult leads to a layer with {channels} channels, which {groups} "
            f"normalisation groups do not divide; take prior.num_channels a multiple of 32, or a smaller multiple of 4"
        )
    return nn.GroupNorm(groups, channels, eps=NORM_EPS)
