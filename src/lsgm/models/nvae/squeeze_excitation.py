"""Squeeze and excitation: a gate per channel from the channel's spatial mean (method.md: NVAE backbone)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..precision import full_precision

REDUCTION = 16
MIN_WIDTH = 4


class SqueezeExcitation(nn.Module):
    """Multiply each channel by a gate in (0, 1); the gate is computed in float32 at least, under autocast too.

    Args:
        num_channels: channels of input and output.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        width = max(num_channels // REDUCTION, MIN_WIDTH)
        self.reduce = nn.Linear(num_channels, width)
        self.expand = nn.Linear(width, num_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Gate x, (B, num_channels, H, W)."""
        with full_precision(x):
            means = x.mean(dim=(2, 3), dtype=torch.promote_types(x.dtype, torch.float32))
            gate = self.expand(F.relu(self.reduce(means))).sigmoid()
        return x * gate.to(x.dtype)[:, :, None, None]
