"""Bernoulli pixels for binarised images: one logit per pixel (method.md: NVAE backbone, `bin`)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .base import OutputDistribution


class Bernoulli(OutputDistribution):
    """Independent Bernoulli pixels; x = -1 stands for 0 and x = 1 for 1."""

    def num_parameters(self, image_channels: int) -> int:
        """One logit per colour channel."""
        return image_channels

    def _log_prob_map(self, params: Tensor, x: Tensor) -> Tensor:
        return -F.binary_cross_entropy_with_logits(params, (x + 1) / 2, reduction="none").sum(dim=1)

    def _mean(self, params: Tensor) -> Tensor:
        return 2 * params.sigmoid() - 1
