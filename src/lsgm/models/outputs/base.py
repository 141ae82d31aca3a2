"""What every output distribution p(x|z) offers to training, evaluation and sampling.

A distribution has no weights: the decoder's head gives its parameters as an image-shaped tensor. Whatever the network's
precision, likelihoods are computed in float32 at least.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class OutputDistribution(ABC):
    """Distribution of an image given the decoder's output, independent over pixels.

    Args:
        num_bits: bits per colour channel of the data; ignored by the distributions that are not discretised.
    """

    def __init__(self, num_bits: int = 8) -> None:
        self.num_bits = num_bits

    @abstractmethod
    def num_parameters(self, image_channels: int) -> int:
        """Return the number of channels that the decoder's head must have for images of `image_channels` channels."""

    @abstractmethod
    def _log_prob_map(self, params: Tensor, x: Tensor) -> Tensor:
        """Log-probability of each pixel, (B, H, W); both arguments have the same floating type, float32 at least."""

    @abstractmethod
    def _mean(self, params: Tensor) -> Tensor:
        """Mean image, (B, C, H, W), in [-1, 1]."""

    def log_prob_map(self, params: Tensor, x: Tensor) -> Tensor:
        """Return the log-probability of each pixel in nats, summed over its colours.

        Args:
            params: (B, num_parameters, H, W), the decoder's output.
            x: (B, C, H, W), images in [-1, 1].

        Returns:
            (B, H, W), float32 at least.
        """
        params = params.to(torch.promote_types(params.dtype, torch.float32))
        return self._log_prob_map(params, x.to(params.dtype))

    def log_prob(self, params: Tensor, x: Tensor, crop: int = 0) -> Tensor:
        """Return log p(x|z) in nats, summed over the image less a margin.

        Args:
            params: (B, num_parameters, H, W), the decoder's output.
            x: (B, C, H, W), images in [-1, 1].
            crop: pixels to leave out at each side: those that padding added.

        Returns:
            (B,), float32 at least.
        """
        if crop:
            params, x = (image[..., crop:-crop, crop:-crop] for image in (params, x))
        return self.log_prob_map(params, x).sum(dim=(1, 2))

    def mean(self, params: Tensor) -> Tensor:
        """Return the image that stands for the distribution, by the decoder's mean and not by a draw.

        Args:
            params: (B, num_parameters, H, W), the decoder's output.

        Returns:
            (B, C, H, W) in [-1, 1], float32 at least.
        """
        return self._mean(params.to(torch.promote_types(params.dtype, torch.float32)))
