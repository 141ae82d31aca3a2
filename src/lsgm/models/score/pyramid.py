"""Pyramids beside the U-Net (NCSN++): every level sees the input, and the output is built level by level.

With features h and a pyramid p, the way down does after every halving
    input_skip    p <- down(p),  h <- Conv1x1(p) + h, or the two concatenated
    residual      p <- (ConvDown(p) + h) / sqrt 2,  h <- p
where p starts as the network's input; the way up does before every doubling, and at the end,
    output_skip   p <- up(p) + Conv(SiLU(GN(h)))
    residual      p <- (ConvUp(p) + h) / sqrt 2,  h <- p
where p starts as Conv(SiLU(GN(h))) at the coarsest level. p is the output with `output_skip`; with `residual` the
last h goes on as usual. Off in all runs of the paper.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lsgm.config import PriorConfig

from .conv_resampling import ConvDown, ConvUp
from .layers import convolution, group_norm
from .resampling import build_resample


class PyramidStep(nn.Module):
    """What one level does with features and pyramid; this one does nothing.

    Args:
        width: channels of the features that come out.
        pyramid_width: channels of the pyramid that comes out.
    """

    def __init__(self, width: int, pyramid_width: int):
        super().__init__()
        self.width = width
        self.pyramid_width = pyramid_width

    def forward(self, h: Tensor, pyramid: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the new features and the new pyramid.

        Args:
            h: (B, width at this level, H, W).
            pyramid: as the finer level left it on the way down, the coarser one on the way up; None where it begins.

        Returns:
            (B, width, H, W) and (B, pyramid_width, H, W).
        """
        return h, pyramid


class InputSkip(PyramidStep):
    """The input itself at this resolution, projected, is added to the features or put in front of them."""

    def __init__(self, channels: int, width: int, fir: bool, concatenates: bool):
        super().__init__(2 * width if concatenates else width, channels)
        self.concatenates = concatenates
        self.resample = build_resample("down", fir)
        self.conv = convolution(channels, width, kernel_size=1)

    def forward(self, h: Tensor, pyramid: Tensor) -> tuple[Tensor, Tensor]:
        """Halve the pyramid and join it, see `PyramidStep`."""
        pyramid = self.resample(pyramid)
        projected = self.conv(pyramid)
        return torch.cat([projected, h], dim=1) if self.concatenates else projected + h, pyramid


class Residual(PyramidStep):
    """The pyramid is resampled with a convolution, takes up the features as a residual, and replaces them."""

    def __init__(self, resample: ConvDown | ConvUp, width: int):
        super().__init__(width, width)
        self.resample = resample

    def forward(self, h: Tensor, pyramid: Tensor) -> tuple[Tensor, Tensor]:
        """Resample the pyramid and join it, see `PyramidStep`."""
        h = (self.resample(pyramid) + h) / math.sqrt(2)
        return h, h


class OutputStart(PyramidStep):
    """The pyramid begins as a projection of the coarsest features."""

    def __init__(self, width: int, channels: int, scale: float):
        super().__init__(width, channels)
        self.norm = group_norm(width)
        self.conv = convolution(width, channels, scale=scale)

    def forward(self, h: Tensor, pyramid: Tensor | None) -> tuple[Tensor, Tensor]:
        """Begin the pyramid, see `PyramidStep`."""
        return h, self.conv(F.silu(self.norm(h)))


class OutputSkip(OutputStart):
    """A projection of the features is added to the pyramid."""

    def __init__(self, width: int, channels: int, fir: bool):
        super().__init__(width, channels, scale=0.0)
        self.resample = build_resample("up", fir)

    def forward(self, h: Tensor, pyramid: Tensor) -> tuple[Tensor, Tensor]:
        """Double the pyramid and add to it, see `PyramidStep`."""
        _, projected = super().forward(h, None)
        return h, self.resample(pyramid) + projected


def build_input_step(config: PriorConfig, pyramid_width: int, width: int) -> PyramidStep:
    """Build what follows the halving of features with `width` channels.

    Args:
        config: kind of pyramid.
        pyramid_width: channels of the pyramid so far; those of the latent at first.
        width: channels of the features.
    """
    if config.progressive_input == "input_skip":
        return InputSkip(pyramid_width, width, config.fir, config.progressive_combine == "cat")
    if config.progressive_input == "residual":
        return Residual(ConvDown(pyramid_width, width, config.fir), width)
    return PyramidStep(width, pyramid_width)


def build_output_step(config: PriorConfig, channels: int, pyramid_width: int | None, width: int) -> PyramidStep:
    """Build what follows the blocks of a level with `width` channels on the way up.

    Args:
        config: kind of pyramid.
        channels: C of the latent.
        pyramid_width: channels of the pyramid so far; None at the coarsest level.
        width: channels of the features.
    """
    is_first = pyramid_width is None
    if config.progressive == "output_skip":
        return OutputStart(width, channels, scale=0.0) if is_first else OutputSkip(width, channels, config.fir)
    if config.progressive == "residual" and is_first:
        return OutputStart(width, width, scale=1.0)
    if config.progressive == "residual":
        return Residual(ConvUp(pyramid_width, width, config.fir), width)
    return PyramidStep(width, channels)
