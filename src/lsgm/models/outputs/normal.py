"""Normal pixels with clamped mean and scale: a density, so not comparable in bits."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .base import OutputDistribution

LIMIT = 5.0
"""Soft clamp of the mean and of the log standard deviation."""


class Normal(OutputDistribution):
    """Independent Normals; the head gives all means and then all log standard deviations."""

    def num_parameters(self, image_channels: int) -> int:
        """A mean and a log standard deviation per colour channel."""
        return 2 * image_channels

    def _log_prob_map(self, params: Tensor, x: Tensor) -> Tensor:
        mean, log_sigma = (LIMIT * torch.tanh(params / LIMIT)).chunk(2, dim=1)
        standardised = (x - mean) * torch.exp(-log_sigma)
        return (-0.5 * standardised.square() - log_sigma - 0.5 * math.log(2 * math.pi)).sum(dim=1)

    def _mean(self, params: Tensor) -> Tensor:
        mean, _ = params.chunk(2, dim=1)
        return (LIMIT * torch.tanh(mean / LIMIT)).clamp(-1, 1)
