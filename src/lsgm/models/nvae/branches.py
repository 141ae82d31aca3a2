"""Residual branches of a cell: two weight-normalised 3x3 convolutions, or an inverted bottleneck."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import torch.nn.functional as F
from torch import Tensor, nn

from .normalisation import BatchNorm2d
from .weight_norm import WNConv2d


class Resampling(Enum):
    """What a cell does to the resolution."""

    NONE = "none"
    DOWN = "down"
    UP = "up"


class BnSwishBranch(nn.Module):
    """Twice [batch norm, swish, 3x3 weight-normalised convolution]; the first convolution changes the resolution.

    Args:
        in_channels: input channels.
        out_channels: output channels.
        resampling: change of resolution.
    """

    def __init__(self, in_channels: int, out_channels: int, resampling: Resampling) -> None:
        super().__init__()
        self.resampling = resampling
        stride = 2 if resampling is Resampling.DOWN else 1
        self.norm1 = BatchNorm2d(in_channels)
        self.conv1 = WNConv2d(in_channels, out_channels, 3, stride)
        self.norm2 = BatchNorm2d(out_channels)
        self.conv2 = WNConv2d(out_channels, out_channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, H', W')."""
        x = F.silu(self.norm1(x))
        if self.resampling is Resampling.UP:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        x = self.conv1(x)
        return self.conv2(F.silu(self.norm2(x)))


class MbConvBranch(nn.Module):
    """Inverted bottleneck: plain 1x1 to a wide layer, plain depth-wise 5x5, plain 1x1 back, each batch-normalised.

    Args:
        in_channels: input channels.
        out_channels: output channels.
        resampling: change of resolution.
        expansion: E, width of the middle in units of in_channels.
    """

    def __init__(self, in_channels: int, out_channels: int, resampling: Resampling, expansion: int) -> None:
        super().__init__()
        self.resampling = resampling
        width = expansion * in_channels
        stride = 2 if resampling is Resampling.DOWN else 1
        self.norm_in = BatchNorm2d(in_channels)
        self.expand = nn.Conv2d(in_channels, width, 1, bias=False)
        self.norm_expand = BatchNorm2d(width)
        self.depthwise = nn.Conv2d(width, width, 5, stride, padding=2, groups=width, bias=False)
        self.norm_depthwise = BatchNorm2d(width)
        self.project = nn.Conv2d(width, out_channels, 1, bias=False)
        self.norm_out = BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, H', W')."""
        if self.resampling is Resampling.UP:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        x = F.silu(self.norm_expand(self.expand(self.norm_in(x))))
        x = F.silu(self.norm_depthwise(self.depthwise(x)))
        return self.norm_out(self.project(x))


Branch = Callable[[int, int, Resampling], nn.Module]
"""Builds the branch of a cell from (in_channels, out_channels, resampling)."""
