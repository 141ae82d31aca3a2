"""The identity as a VAE: its latent is the image, so that a prior on it is a score-based model in pixel space.

Images are discrete and the prior is a density, so the encoder adds uniform noise (Theis et al. 2016, section 3.1): the
intensity k of 2^bits becomes

    z = 2 (k + u) / 2^bits - 1,   u ~ U(0, 1),   log q(z|x) = log(2^bits / 2) per element,

and the decoder finds the intensity again, with log p(x|z) = 0. What evaluation computes of any VAE,

    NELBO(x) = 0 + D log(2^bits / 2) - E_u[log p(z)] >= -log of the integral of p(z) over the bins of x = -log p(x),

is then the bound that score-based models in pixel space are reported with (Song et al. 2021, section 4.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lsgm.models.outputs.intensity import levels_of_images
from lsgm.models.precision import at_least_float32
from lsgm.models.vae import Encoding, Vae, VaeOutput

# u stays this far from 0 and 1: at 255 + u a float32 has room for no more digits, and the bin must not change.
MARGIN = 2.0**-16


class PixelVae(Vae):
    """A VAE of one latent group, the image with uniform noise, and without any weights. Arguments as of `Vae`."""

    @property
    def latent_shapes(self) -> list[tuple[int, int, int]]:
        """[(C, H, W)], the image's shape."""
        return [self.image_shape]

    @property
    def num_prior_groups(self) -> int:
        """1."""
        return 1

    @property
    def prior_shape(self) -> tuple[int, int, int]:
        """(C, H, W), the image's shape."""
        return self.image_shape

    def forward(self, x: Tensor, noises: Sequence[Tensor]) -> VaeOutput:
        """Add noise to the intensities; arguments as of `Vae.forward`."""
        encoding = self.encode(x, noises)
        return VaeOutput(encoding.latents, encoding.log_q, self.decode(encoding.latents))

    def encode(self, x: Tensor, noises: Sequence[Tensor]) -> Encoding:
        """Add noise to the intensities; arguments as of `Vae.encode`.

        Source: Theis et al. (2016) section 3.1.
        """
        (noise,) = noises
        num_bits = self.output.num_bits
        # Draws are standard normal for every VAE; their distribution function makes them uniform.
        uniform = torch.special.ndtr(at_least_float32(noise)).clamp(MARGIN, 1 - MARGIN)
        latent = 2 * ((levels_of_images(at_least_float32(x), num_bits) + uniform) / 2**num_bits) - 1
        return Encoding([latent], [torch.full_like(latent, (num_bits - 1) * math.log(2))])

    def decode(self, latents: Sequence[Tensor]) -> Tensor:
        """Return the latent: the output distribution knows its bins."""
        (latent,) = latents
        return latent
