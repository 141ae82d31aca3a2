"""Resampling with a learned 3x3 convolution inside (method.md: Score network), for the residual pyramids.

With FIR filtering, the filter of `resampling` runs before the stride when halving and after it when doubling:
    down  convolution of stride 2 (zeros 2 wide, filter)
    up    filter of gain 4 (correlation with the input spread by zeros, all overlaps), then the bias
A weight that only has its centre thus gives the resampling without convolution. Without FIR: zeros at the lower and
the right edge, then a convolution of stride 2; nearest neighbour, then a convolution.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .layers import convolution
from .resampling import FirFilter


class ConvDown(nn.Module):
    """Halving of the resolution with a convolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the result.
        fir: whether the input is filtered first.
    """

    def __init__(self, in_channels: int, out_channels: int, fir: bool):
        super().__init__()
        self.conv = convolution(in_channels, out_channels, stride=2)
        self.filter = _Filter(gain=1, padding=2) if fir else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W), H and W even, to (B, out_channels, H/2, W/2)."""
        return self.conv(F.pad(x, (0, 1, 0, 1)) if self.filter is None else self.filter(x))


class ConvUp(nn.Module):
    """Doubling of the resolution with a convolution.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the result.
        fir: whether the result is filtered.
    """

    def __init__(self, in_channels: int, out_channels: int, fir: bool):
        super().__init__()
        self.conv = convolution(in_channels, out_channels)
        self.filter = _Filter(gain=4, padding=1) if fir else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, 2H, 2W)."""
        if self.filter is None:
            return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))
        # A transposed convolution correlates with the flipped weight, so it is flipped here beforehand.
        flipped = self.conv.weight.flip(2, 3).transpose(0, 1)
        return self.filter(F.conv_transpose2d(x, flipped, stride=2), self.conv.bias)


class _Filter(FirFilter):
    """Filter every channel of (B, C, H, W) with zeros outside, then add a bias (C,) if there is one."""

    def __init__(self, gain: float, padding: int):
        super().__init__(gain)
        self.padding = padding

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.conv2d(x, self.kernel_for(x), bias, padding=self.padding, groups=x.shape[1])
