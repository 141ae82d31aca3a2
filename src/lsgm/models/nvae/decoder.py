"""The top-down half: latent groups from coarse to fine, post-process and head (method.md: NVAE backbone).

The same modules infer latents (given the encoder's features and noise) and generate (given the latents).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lsgm.config import VaeConfig

from .branches import Resampling
from .cells import CELLS, ResidualCell, cells
from .flows import flow_pairs
from .layout import in_fast_layout
from .posterior import Sampler
from .weight_norm import WNConv2d


class LatentGroup(nn.Module):
    """One latent group: its posterior given encoder and decoder features, and its effect on the decoder's feature.

    Args:
        config: sizes.
        mult: width of this scale's features in units of C_e for the encoder's, C_d for the decoder's.
        is_first: whether it is the first to be decoded; that one's posterior does not depend on the decoder.
    """

    def __init__(self, config: VaeConfig, mult: int, is_first: bool) -> None:
        super().__init__()
        num_latent = config.num_latent_per_group
        encoder_width, width = config.num_channels * mult, config.decoder_channels * mult
        self.encoder_combiner = None if is_first else WNConv2d(width, encoder_width, 1)
        self.sampler = Sampler(encoder_width, num_latent, config.log_sigma_limit)
        self.flows = flow_pairs(num_latent, config.num_flows)
        self.latent_conv = WNConv2d(num_latent, num_latent, 3)
        self.decoder_combiner = WNConv2d(width + num_latent, width, 1)
        self.cells = nn.Sequential(*cells(CELLS[config.arch].decoder, width, config.decoder_cells, config.use_se))

    def infer(self, encoder_feature: Tensor, decoder_feature: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Draw the group's latent from its posterior.

        Args:
            encoder_feature: (B, C_e mult, r, r), stored on the way up.
            decoder_feature: (B, C_d mult, r, r), which holds the groups decoded before.
            noise: (B, z, r, r), standard normal.

        Returns:
            The latent after the flows and elementwise log q of it, both (B, z, r, r).
        """
        if self.encoder_combiner is not None:
            encoder_feature = encoder_feature + self.encoder_combiner(decoder_feature)
        posterior = self.sampler(encoder_feature)
        # The flows preserve volume, so log q of their result is that of the Normal sample.
        return self.flows(posterior.sample(noise)), posterior.log_prob(noise)

    def forward(self, decoder_feature: Tensor, latent: Tensor) -> Tensor:
        """Merge the latent, (B, z, r, r), into the decoder's feature, (B, C_d mult, r, r)."""
        # Latents are float32 also where the features are half precision.
        merged = torch.cat((decoder_feature, self.latent_conv(latent).to(decoder_feature.dtype)), dim=1)
        return self.cells(self.decoder_combiner(in_fast_layout(merged)))


class DecoderScale(nn.Module):
    """All groups of one resolution, and the step up from the coarser resolution before them.

    Args:
        config: sizes.
        scale: 0 for the coarsest.
    """

    def __init__(self, config: VaeConfig, scale: int) -> None:
        super().__init__()
        widths = [config.decoder_channels * mult for mult in config.channel_mult]
        branch = CELLS[config.arch].decoder
        self.up = (
            ResidualCell(branch, widths[-scale], widths[-1 - scale], Resampling.UP, config.use_se) if scale else None
        )
        self.groups = nn.ModuleList(
            LatentGroup(config, config.channel_mult[-1 - scale], is_first=scale == group == 0)
            for group in range(config.num_groups_per_scale)
        )


def _postprocess(config: VaeConfig) -> nn.Sequential:
    branch = CELLS[config.arch].postprocess
    widths = [config.decoder_channels * mult for mult in config.channel_mult]
    stack: list[ResidualCell] = []
    for block in reversed(range(config.num_preprocess_blocks)):
        stack.append(ResidualCell(branch, widths[block + 1], widths[block], Resampling.UP, config.use_se))
        stack += cells(branch, widths[block], config.post_cells - 1, config.use_se)
    return nn.Sequential(*stack)


class Decoder(nn.Module):
    """The decoder's modules; `NVAE` walks through them.

    Args:
        config: sizes.
        coarsest: (height, width) of the coarsest latents.
        num_parameters: channels of the head.
    """

    def __init__(self, config: VaeConfig, coarsest: tuple[int, int], num_parameters: int) -> None:
        super().__init__()
        widths = [config.decoder_channels * mult for mult in config.channel_mult]
        self.constant = nn.Parameter(torch.rand(widths[-1], *coarsest))
        self.scales = nn.ModuleList(DecoderScale(config, scale) for scale in range(config.num_latent_scales))
        self.postprocess = _postprocess(config)
        self.head = WNConv2d(widths[0], num_parameters, 3)

    def start(self, batch_size: int) -> Tensor:
        """Return the learned constant for a batch, (B, width, r, r)."""
        return self.constant.expand(batch_size, -1, -1, -1)

    def steps(self) -> Iterator[tuple[ResidualCell | None, LatentGroup]]:
        """Yield the groups in decoding order, each with the step up that comes before it, if any."""
        for scale in self.scales:
            for index, group in enumerate(scale.groups):
                yield (scale.up if index == 0 else None), group

    def output(self, feature: Tensor) -> Tensor:
        """Map the last group's feature to the output distribution's parameters, (B, num_parameters, H, W)."""
        return self.head(F.elu(self.postprocess(feature)))
