"""Embedding of the diffusion time (method.md: Score network): sines and cosines of t, then two linear layers.

All of it stays in full precision under autocast: the angles reach 1000 rad, of which half precision keeps no digit.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..precision import at_least_float32, full_precision
from .layers import linear

LOWEST_FREQUENCY = 1e-4
WIDENING = 4


class PositionalFeatures(nn.Module):
    """Sines and cosines of `scale` t at frequencies spaced geometrically from 1 to 1e-4.

    Args:
        dim: number of features, even.
        scale: factor on t (`embedding_scale`).
    """

    def __init__(self, dim: int, scale: float):
        super().__init__()
        self.num_frequencies = dim // 2
        self.scale = scale

    def forward(self, time: Tensor) -> Tensor:
        """Map times (B,) to features (B, dim)."""
        index = torch.arange(self.num_frequencies, device=time.device, dtype=time.dtype)
        frequencies = torch.exp(index * (math.log(LOWEST_FREQUENCY) / max(self.num_frequencies - 1, 1)))
        angles = self.scale * time[:, None] * frequencies
        return torch.cat([angles.sin(), angles.cos()], dim=1)


class FourierFeatures(nn.Module):
    """Sines and cosines of t at fixed random frequencies drawn from N(0, scale^2); they are saved with the model.

    Args:
        dim: number of features, even.
        scale: standard deviation of the frequencies (`embedding_scale`).
    """

    frequencies: Tensor

    def __init__(self, dim: int, scale: float):
        super().__init__()
        self.register_buffer("frequencies", scale * torch.randn(dim // 2))

    def forward(self, time: Tensor) -> Tensor:
        """Map times (B,) to features (B, dim)."""
        angles = 2 * math.pi * time[:, None] * self.frequencies.to(time.dtype)
        return torch.cat([angles.sin(), angles.cos()], dim=1)


EMBEDDINGS = {"positional": PositionalFeatures, "fourier": FourierFeatures}


class TimeEmbedding(nn.Module):
    """Features of t, then Linear, SiLU, Linear.

    Args:
        name: `positional` or `fourier`.
        dim: number of features of t; the embedding is four times as wide.
        scale: see the two kinds of features.
    """

    def __init__(self, name: str, dim: int, scale: float):
        super().__init__()
        self.width = WIDENING * dim
        self.features = EMBEDDINGS[name](dim, scale)
        self.first = linear(dim, self.width)
        self.second = linear(self.width, self.width)

    def forward(self, time: Tensor) -> Tensor:
        """Embed times.

        Args:
            time: (B,), in [0, 1].

        Returns:
            (B, width), in the dtype of the weights.
        """
        with full_precision(time):
            features = self.features(at_least_float32(time)).to(self.first.weight.dtype)
            return self.second(F.silu(self.first(features)))
