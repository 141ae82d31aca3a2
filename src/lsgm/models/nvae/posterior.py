"""The Normal posterior of one latent group, with softly clamped parameters (method.md: NVAE backbone)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .weight_norm import WNConv2d

MEAN_LIMIT = 5.0


def soft_clamp(x: Tensor, limit: float) -> Tensor:
    """Return limit * tanh(x / limit): close to x near zero, within (-limit, limit) everywhere."""
    return limit * torch.tanh(x / limit)


@dataclass(frozen=True)
class NormalPosterior:
    """q(z_group | x, earlier groups): mean and log standard deviation per element, (B, z, r, r), float32 at least."""

    mean: Tensor
    log_sigma: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Return mean + sigma * noise; noise is standard normal, (B, z, r, r)."""
        return self.mean + self.log_sigma.exp() * noise

    def log_prob(self, noise: Tensor) -> Tensor:
        """Return elementwise log q, in nats, of the sample that this noise gives."""
        return -0.5 * noise.square() - self.log_sigma - 0.5 * math.log(2 * math.pi)


class Sampler(nn.Module):
    """Posterior parameters from a feature: ELU, then a 3x3 convolution.

    Args:
        in_channels: channels of the feature.
        num_latent: z, channels of the group.
        log_sigma_limit: L, soft clamp of the log standard deviation.
    """

    def __init__(self, in_channels: int, num_latent: int, log_sigma_limit: float) -> None:
        super().__init__()
        self.conv = WNConv2d(in_channels, 2 * num_latent, 3)
        self.log_sigma_limit = log_sigma_limit

    def forward(self, feature: Tensor) -> NormalPosterior:
        """Map (B, in_channels, r, r) to the posterior of (B, z, r, r)."""
        raw = self.conv(F.elu(feature))
        # Log-probabilities are summed over tens of thousands of elements: not in half precision.
        mean, log_sigma = raw.to(torch.promote_types(raw.dtype, torch.float32)).chunk(2, dim=1)
        return NormalPosterior(soft_clamp(mean, MEAN_LIMIT), soft_clamp(log_sigma, self.log_sigma_limit))
