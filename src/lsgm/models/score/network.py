"""The score network: a U-Net of the NCSN++ type on the latent, conditioned on the time (method.md: Score network).

Beside it runs a pyramid of the input on the way down and of the output on the way up, if the config asks for them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lsgm.config import ConfigError, PriorConfig

from .attention import Attention
from .layers import convolution, group_norm
from .pyramid import PyramidStep, build_input_step, build_output_step
from .resampling import Direction
from .residual_block import ResidualBlock
from .time_embedding import TimeEmbedding


class ScoreNetwork(nn.Module):
    """epsilon'(z_t, t): predicts the noise in a noisy latent, before it is mixed with the Normal prediction.

    Args:
        config: sizes.
        channels: C of the latent.
        resolution: side of the latent in pixels.

    Raises:
        ConfigError: the resolution cannot be halved as often as `config` has levels, a layer's channels do not fit its
            normalisation groups, or there is a pyramid but one level only.

    Source: LSGM App. G; NCSN++ (Song et al. 2021).
    """

    def __init__(self, config: PriorConfig, channels: int, resolution: int):
        super().__init__()
        _check_levels(config, resolution)
        self.embedding = TimeEmbedding(config.embedding, config.embedding_dim, config.embedding_scale)
        widths = [config.num_channels * mult for mult in config.channel_mult]
        sides = [resolution // 2**level for level in range(len(widths))]
        self.conv_in = convolution(channels, widths[0])
        skips, pyramid_width = [widths[0]], channels
        self.down = nn.ModuleList()
        for width, side in zip(widths, sides, strict=True):
            step = None if side == sides[-1] else build_input_step(config, pyramid_width, width)
            self.down.append(_DownLevel(config, self.embedding.width, skips[-1], width, side, step))
            skips += [width] * config.num_cells_per_scale
            if step is not None:
                skips.append(step.width)
                pyramid_width = step.pyramid_width
        middle = widths[-1]
        self.middle_in = _block(config, self.embedding.width, middle, middle)
        self.middle_attention = Attention(middle)
        self.middle_out = _block(config, self.embedding.width, middle, middle)
        self.up = nn.ModuleList()
        current, pyramid_width = middle, None
        for width, side in zip(reversed(widths), reversed(sides), strict=True):
            popped = [skips.pop() for _ in range(config.num_cells_per_scale + 1)]
            step = build_output_step(config, channels, pyramid_width, width)
            self.up.append(_UpLevel(config, self.embedding.width, current, popped, width, side, side == sides[0], step))
            current, pyramid_width = step.width, step.pyramid_width
        pyramid_is_output = config.progressive == "output_skip"
        self.norm_out = None if pyramid_is_output else group_norm(current)
        self.conv_out = None if pyramid_is_output else convolution(current, channels, scale=0.0)

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the weights."""
        return self.conv_in.weight.dtype

    def forward(self, z: Tensor, time: Tensor) -> Tensor:
        """Predict the noise.

        Args:
            z: (B, C, r, r), the noisy latent.
            time: (B,) or (), in [0, 1].

        Returns:
            (B, C, r, r), in the dtype of the weights (autocast's where that is on).
        """
        embedding = self.embedding(time.expand(z.shape[0]))
        pyramid = z.to(self.dtype)
        h = self.conv_in(pyramid)
        skips = [h]
        for level in self.down:
            h, pyramid = level(h, embedding, skips, pyramid)
        h = self.middle_out(self.middle_attention(self.middle_in(h, embedding)), embedding)
        pyramid = None
        for level in self.up:
            h, pyramid = level(h, embedding, skips, pyramid)
        return pyramid if self.conv_out is None else self.conv_out(F.silu(self.norm_out(h)))


class _DownLevel(nn.Module):
    """The blocks at one resolution on the way down; every result is kept for the way up. No step: the last level."""

    def __init__(
        self,
        config: PriorConfig,
        time_width: int,
        in_channels: int,
        width: int,
        side: int,
        pyramid_step: PyramidStep | None,
    ):
        super().__init__()
        inputs = [in_channels] + [width] * (config.num_cells_per_scale - 1)
        self.blocks = nn.ModuleList(_block(config, time_width, channels, width) for channels in inputs)
        has_attention = side in config.attention_resolutions
        self.attentions = nn.ModuleList(Attention(width) if has_attention else nn.Identity() for _ in inputs)
        self.resample = None if pyramid_step is None else _block(config, time_width, width, width, "down")
        self.pyramid_step = pyramid_step

    def forward(self, h: Tensor, embedding: Tensor, skips: list[Tensor], pyramid: Tensor) -> tuple[Tensor, Tensor]:
        for block, attention in zip(self.blocks, self.attentions, strict=True):
            h = attention(block(h, embedding))
            skips.append(h)
        if self.resample is not None:
            h, pyramid = self.pyramid_step(self.resample(h, embedding), pyramid)
            skips.append(h)
        return h, pyramid


class _UpLevel(nn.Module):
    """The blocks at one resolution on the way up; each takes the last kept result of the way down beside its input."""

    def __init__(
        self,
        config: PriorConfig,
        time_width: int,
        in_channels: int,
        skips: list[int],
        width: int,
        side: int,
        is_last: bool,
        pyramid_step: PyramidStep,
    ):
        super().__init__()
        inputs = [in_channels] + [width] * (len(skips) - 1)
        self.blocks = nn.ModuleList(
            _block(config, time_width, channels + skip, width) for channels, skip in zip(inputs, skips, strict=True)
        )
        self.attention = Attention(width) if side in config.attention_resolutions else nn.Identity()
        self.pyramid_step = pyramid_step
        self.resample = None if is_last else _block(config, time_width, width, width, "up")

    def forward(
        self, h: Tensor, embedding: Tensor, skips: list[Tensor], pyramid: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        for block in self.blocks:
            h = block(torch.cat([h, skips.pop()], dim=1), embedding)
        h, pyramid = self.pyramid_step(self.attention(h), pyramid)
        return (h if self.resample is None else self.resample(h, embedding)), pyramid


def _check_levels(config: PriorConfig, resolution: int) -> None:
    num_levels = len(config.channel_mult)
    if resolution < 1 or resolution % 2 ** (num_levels - 1):
        raise ConfigError(
            f"prior.channel_mult has {num_levels} levels, so the side of the latent must be a multiple of "
            f"{2 ** (num_levels - 1)}, not {resolution}; take fewer levels"
        )
    for key in ("progressive", "progressive_input"):
        if num_levels == 1 and getattr(config, key) != "none":
            raise ConfigError(
                f"prior.{key} is {getattr(config, key)}, which joins levels, but prior.channel_mult has only one; "
                f"take at least two levels, or {key} none"
            )


def _block(
    config: PriorConfig, time_width: int, in_channels: int, out_channels: int, resample: Direction | None = None
) -> ResidualBlock:
    return ResidualBlock(in_channels, out_channels, time_width, config.dropout, resample, config.fir)
