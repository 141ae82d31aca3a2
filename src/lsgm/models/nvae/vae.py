"""NVAE as LSGM uses it: a hierarchy of latent groups, each with prior N(0, I) (method.md: NVAE backbone; LSGM Sec. 3).

A residual or conditional-Normal prior, as in the original NVAE, is equivalent to N(0, I) on the standardised latent;
the decoder's features play its part. The groups of the coarsest scale are what the score-based prior models later.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lsgm.config import VaeConfig
from lsgm.models.outputs import OutputDistribution
from lsgm.models.vae import Encoding, Vae, VaeOutput

from .decoder import Decoder
from .encoder import Encoder


class NVAE(Vae):
    """The VAE backbone.

    Args:
        config: sizes.
        image_shape: (C, H, W) of its input, padding included.
        output: distribution p(x|z).
        crop: padded pixels at each side, which likelihoods leave out.

    Raises:
        ConfigError: the image cannot be halved as often as the settings ask, or the output distribution does not fit.
    """

    def __init__(
        self, config: VaeConfig, image_shape: tuple[int, int, int], output: OutputDistribution, crop: int = 0
    ) -> None:
        super().__init__(config, image_shape, output, crop)
        channels, height, width = image_shape
        config.require_sides(height - 2 * crop, width - 2 * crop, crop)
        factor = config.downsampling
        coarsest = (height // factor, width // factor)
        self.encoder = Encoder(config, channels)
        self.decoder = Decoder(config, coarsest, output.num_parameters(channels))

    @property
    def latent_shapes(self) -> list[tuple[int, int, int]]:
        """(z, r, r) of every group in decoding order, the coarsest scale first."""
        _, rows, columns = self.prior_shape
        return [
            (self.config.num_latent_per_group, rows * 2**scale, columns * 2**scale)
            for scale in range(self.config.num_latent_scales)
            for _ in range(self.config.num_groups_per_scale)
        ]

    @property
    def num_prior_groups(self) -> int:
        """Number of groups that the score-based prior models: those of the coarsest scale, the first to be decoded."""
        return self.config.num_groups_per_scale

    @property
    def prior_shape(self) -> tuple[int, int, int]:
        """(G z, r, r), shape of the latent that the score-based prior models."""
        _, height, width = self.image_shape
        factor = self.config.downsampling
        channels = self.config.num_groups_per_scale * self.config.num_latent_per_group
        return channels, height // factor, width // factor

    def forward(self, x: Tensor, noises: Sequence[Tensor]) -> VaeOutput:
        """Encode and decode.

        Args:
            x: (B, C, H, W), images in [-1, 1].
            noises: one standard normal (B, *shape) per entry of `latent_shapes`.
        """
        encoding, feature = self._infer(x, noises, until_last_latent=False)
        return VaeOutput(encoding.latents, encoding.log_q, self.decoder.output(feature))

    def encode(self, x: Tensor, noises: Sequence[Tensor]) -> Encoding:
        """Draw latents as `forward` does, without the work that only the image needs; arguments as there."""
        encoding, _ = self._infer(x, noises, until_last_latent=True)
        return encoding

    def decode(self, latents: Sequence[Tensor]) -> Tensor:
        """Return the parameters of p(x|z).

        Args:
            latents: one (B, *shape) per entry of `latent_shapes`.

        Returns:
            (B, num_parameters, H, W).
        """
        feature = self.decoder.start(latents[0].shape[0])
        for (up, group), latent in zip(self.decoder.steps(), latents, strict=True):
            feature = group(feature if up is None else up(feature), latent)
        return self.decoder.output(feature)

    def _infer(self, x: Tensor, noises: Sequence[Tensor], until_last_latent: bool) -> tuple[Encoding, Tensor]:
        """Walk down the decoder, drawing each group; also return the feature after the last one (or before it)."""
        encoding = Encoding([], [])
        feature = self.decoder.start(x.shape[0])
        last = len(noises) - 1
        steps = zip(self.decoder.steps(), self.encoder(x), noises, strict=True)
        for index, ((up, group), encoder_feature, noise) in enumerate(steps):
            if up is not None:
                feature = up(feature)
            latent, log_q = group.infer(encoder_feature, feature, noise)
            encoding.latents.append(latent)
            encoding.log_q.append(log_q)
            if index < last or not until_last_latent:
                feature = group(feature, latent)
        return encoding, feature
