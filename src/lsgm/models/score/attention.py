"""Self-attention over the positions of a feature map, one head (method.md: Score network)."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from ..precision import at_least_float32, full_precision
from .layers import group_norm, linear

PROJECTION_SCALE = 0.1


class Attention(nn.Module):
    """out = (x + Linear(softmax(q^T k / sqrt c) v)) / sqrt 2 with q, k, v linear in GroupNorm(x).

    Args:
        channels: c.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm = group_norm(channels)
        self.query = linear(channels, channels, PROJECTION_SCALE)
        self.key = linear(channels, channels, PROJECTION_SCALE)
        self.value = linear(channels, channels, PROJECTION_SCALE)
        self.output = linear(channels, channels, scale=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, c, H, W) to the same shape."""
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        query, key, value = self.query(tokens), self.key(tokens), self.value(tokens)
        with full_precision(x):
            heads = [at_least_float32(part)[:, None] for part in (query, key, value)]
            attended = F.scaled_dot_product_attention(*heads)[:, 0]
        attended = self.output(attended.to(tokens.dtype))
        return (x + attended.transpose(1, 2).reshape(x.shape)) / math.sqrt(2)
