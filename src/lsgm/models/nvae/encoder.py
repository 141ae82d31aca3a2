"""The bottom-up half: stem, pre-process and encoder tower (method.md: NVAE backbone).

It runs once per image and keeps one feature per latent group; the decoder consumes them in reverse order, since a
group's posterior also depends on the groups decoded before it.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from lsgm.config import VaeConfig

from .branches import Resampling
from .cells import CELLS, ResidualCell, cells
from .normalisation import BatchNorm2d
from .weight_norm import WNConv2d


class InputSkip(nn.Module):
    """Progressive input: halve the pre-processed image by batch norm, swish and a strided 3x3 convolution.

    Args:
        in_channels: width of the scale before.
        out_channels: width of this scale.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(in_channels)
        self.conv = WNConv2d(in_channels, out_channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, H / 2, W / 2)."""
        return self.conv(F.silu(self.norm(x)))


class EncoderScale(nn.Module):
    """All groups of one resolution, and the step down from the finer resolution before them.

    Args:
        config: sizes.
        scale: 0 for the finest.
    """

    def __init__(self, config: VaeConfig, scale: int) -> None:
        super().__init__()
        branch = CELLS[config.arch].encoder
        level = config.num_preprocess_blocks + scale
        finer, width = (config.num_channels * config.channel_mult[index] for index in (level - 1, level))
        self.down = ResidualCell(branch, finer, width, Resampling.DOWN, config.use_se) if scale else None
        self.input_skip = InputSkip(finer, width) if scale and config.progressive_input == "input_skip" else None
        self.groups = nn.ModuleList(
            nn.Sequential(*cells(branch, width, config.num_cells_per_group, config.use_se))
            for _ in range(config.num_groups_per_scale)
        )


def _preprocess(config: VaeConfig) -> nn.Sequential:
    branch = CELLS[config.arch].encoder
    widths = [config.num_channels * mult for mult in config.channel_mult]
    stack: list[ResidualCell] = []
    for block in range(config.num_preprocess_blocks):
        stack += cells(branch, widths[block], config.num_pre_post_cells - 1, config.use_se)
        stack.append(ResidualCell(branch, widths[block], widths[block + 1], Resampling.DOWN, config.use_se))
    return nn.Sequential(*stack)


class Encoder(nn.Module):
    """Features of an image, one per latent group.

    Args:
        config: sizes.
        image_channels: colours of the image.
    """

    def __init__(self, config: VaeConfig, image_channels: int) -> None:
        super().__init__()
        self.stem = WNConv2d(image_channels, config.num_channels * config.channel_mult[0], 3)
        self.preprocess = _preprocess(config)
        self.scales = nn.ModuleList(EncoderScale(config, scale) for scale in range(config.num_latent_scales))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features, coarsest scale first and last group first: in the order in which groups are decoded.

        Args:
            x: (B, C, H, W), images in [-1, 1].

        Returns:
            One tensor (B, width, r, r) per latent group.
        """
        x = self.preprocess(self.stem(x))
        image = x
        features: list[Tensor] = []
        for scale in self.scales:
            if scale.down is not None:
                x = scale.down(x)
            if scale.input_skip is not None:
                image = scale.input_skip(image)
                x = x + image
            for group in scale.groups:
                x = group(x)
                features.append(x)
        return features[::-1]
