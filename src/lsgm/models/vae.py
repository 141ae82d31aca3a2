"""What every VAE backbone offers to training, sampling and evaluation: latent groups, and distributions both ways."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lsgm.config import VaeConfig
from lsgm.models.outputs import OutputDistribution


@dataclass(frozen=True)
class Encoding:
    """A draw from the posterior, groups in decoding order.

    Attributes:
        latents: one (B, z, r, r) per group, float32 at least.
        log_q: elementwise log q of each latent in nats, same shapes.
    """

    latents: list[Tensor]
    log_q: list[Tensor]


@dataclass(frozen=True)
class VaeOutput(Encoding):
    """An encoding and what it decodes to.

    Attributes:
        params: parameters of the output distribution, (B, num_parameters, H, W).
    """

    params: Tensor


class Vae(nn.Module, ABC):
    """A VAE backbone.

    Args:
        config: which one, and its sizes.
        image_shape: (C, H, W) of its input, padding included.
        output: distribution p(x|z).
        crop: padded pixels at each side, which likelihoods leave out.
    """

    def __init__(
        self, config: VaeConfig, image_shape: tuple[int, int, int], output: OutputDistribution, crop: int = 0
    ) -> None:
        super().__init__()
        self.config = config
        self.image_shape = image_shape
        self.output = output
        self.crop = crop

    @property
    @abstractmethod
    def latent_shapes(self) -> list[tuple[int, int, int]]:
        """(z, r, r) of every group in decoding order, the coarsest scale first."""

    @property
    @abstractmethod
    def num_prior_groups(self) -> int:
        """Number of groups that the score-based prior models: those of the coarsest scale, the first to be decoded."""

    @property
    @abstractmethod
    def prior_shape(self) -> tuple[int, int, int]:
        """(G z, r, r), shape of the latent that the score-based prior models."""

    @abstractmethod
    def forward(self, x: Tensor, noises: Sequence[Tensor]) -> VaeOutput:
        """Encode and decode.

        Args:
            x: (B, C, H, W), images in [-1, 1].
            noises: one standard normal (B, *shape) per entry of `latent_shapes`.
        """

    @abstractmethod
    def encode(self, x: Tensor, noises: Sequence[Tensor]) -> Encoding:
        """Draw latents as `forward` does, without the work that only the image needs; arguments as there."""

    @abstractmethod
    def decode(self, latents: Sequence[Tensor]) -> Tensor:
        """Return the parameters of p(x|z).

        Args:
            latents: one (B, *shape) per entry of `latent_shapes`.

        Returns:
            (B, num_parameters, H, W).
        """

    def join(self, latents: Sequence[Tensor]) -> Tensor:
        """Concatenate the groups of the coarsest scale to the prior's latent, (B, *prior_shape).

        Args:
            latents: groups in decoding order; those of finer scales may be there and are left out.
        """
        return torch.cat(tuple(latents[: self.num_prior_groups]), dim=1)

    def split(self, prior_latent: Tensor) -> list[Tensor]:
        """Undo `join`: return the groups of the coarsest scale, each (B, z, r, r)."""
        return list(prior_latent.chunk(self.num_prior_groups, dim=1))

    def reconstruction(self, params: Tensor, x: Tensor) -> Tensor:
        """Return -log p(x|z) of the un-padded centre in nats, (B,).

        Args:
            params: (B, num_parameters, H, W), from `forward` or `decode`.
            x: (B, C, H, W), images in [-1, 1].
        """
        # Not the negative, by which a reconstruction without any loss would cost -0.
        return 0 - self.output.log_prob(params, x, self.crop)
