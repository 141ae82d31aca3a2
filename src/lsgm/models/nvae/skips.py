"""The direct path of residual cells that change resolution (method.md: NVAE backbone)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .weight_norm import WNConv2d


class FactorisedReduce(nn.Module):
    """Halve the resolution: swish, then four 1x1 convolutions, each on one of the four pixels of every 2x2 block.

    Args:
        in_channels: input channels.
        out_channels: output channels; the first three convolutions give a quarter each, the last the rest.
    """

    # (row, column) of the pixel that each convolution reads.
    OFFSETS = ((0, 0), (1, 1), (0, 1), (1, 0))

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        quarter = out_channels // 4
        widths = (quarter, quarter, quarter, out_channels - 3 * quarter)
        self.convs = nn.ModuleList(WNConv2d(in_channels, width, 1) for width in widths)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W), H and W even, to (B, out_channels, H / 2, W / 2)."""
        x = F.silu(x)
        parts = [conv(x[:, :, row::2, column::2]) for conv, (row, column) in zip(self.convs, self.OFFSETS, strict=True)]
        return torch.cat(parts, dim=1)


class UpsampleSkip(nn.Module):
    """Double the resolution: bilinear interpolation (corners aligned) and a 1x1 convolution without bias.

    Args:
        in_channels: input channels.
        out_channels: output channels.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = WNConv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, 2 H, 2 W)."""
        # Both steps are linear, one over space and one over channels: in this order they cost a quarter.
        return F.interpolate(self.conv(x), scale_factor=2, mode="bilinear", align_corners=True)
