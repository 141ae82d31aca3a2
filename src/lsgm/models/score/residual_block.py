"""Residual block of the score network: two convolutions, conditioned on the time, may resample."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from ..precision import full_precision
from .layers import convolution, group_norm, linear
from .resampling import Direction, build_resample


class ResidualBlock(nn.Module):
    """out = (skip(x) + branch(x, time)) / sqrt 2.

    The branch is GroupNorm, SiLU, (resampling), convolution, plus a projection of the time, GroupNorm, SiLU, dropout,
    convolution. The skip is a 1x1 convolution where the shape changes.

    Args:
        in_channels: channels of x.
        out_channels: channels of the result.
        time_width: width of the time embedding.
        dropout: probability, in training mode only.
        resample: None, `up` (twice the side) or `down` (half the side).
        fir: whether resampling is filtered.

    Source: BigGAN-type block of NCSN++ (Song et al. 2021).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        time_width: int,
        dropout: float,
        resample: Direction | None = None,
        fir: bool = False,
    ):
        super().__init__()
        self.resample = nn.Identity() if resample is None else build_resample(resample, fir)
        self.norm_in = group_norm(in_channels)
        self.conv_in = convolution(in_channels, out_channels)
        self.time_projection = linear(time_width, out_channels)
        self.norm_out = group_norm(out_channels)
        self.dropout = nn.Dropout(dropout)
        self.conv_out = convolution(out_channels, out_channels, scale=0.0)
        changes_shape = in_channels != out_channels or resample is not None
        self.skip = convolution(in_channels, out_channels, kernel_size=1) if changes_shape else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: (B, in_channels, H, W).
            embedding: (B, time_width), of the times.

        Returns:
            (B, out_channels, H', W').
        """
        branch = self.conv_in(self.resample(F.silu(self.norm_in(x))))
        with full_precision(embedding):
            shift = self.time_projection(F.silu(embedding))[:, :, None, None]
        branch = branch + shift
        branch = self.conv_out(self.dropout(F.silu(self.norm_out(branch))))
        return (self.skip(self.resample(x)) + branch) / math.sqrt(2)
