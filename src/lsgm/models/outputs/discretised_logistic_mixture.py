"""Mixture of ten discretised logistics over the three colours of a pixel (method.md: NVAE backbone, `dml`).

The components are shared by the colours; within a component green depends linearly on red, and blue on both.
Channels of the head: 10 mixture logits, then for each colour 10 locations, 10 log-scales, 10 raw coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lsgm.config import ConfigError

from .base import OutputDistribution
from .logistic import discretised_logistic_log_prob

NUM_COMPONENTS = 10


@dataclass(frozen=True)
class _Mixture:
    """The head's output in parts: logits (B, 10, H, W); the others (B, 3, 10, H, W), coefficients in [-1, 1]."""

    logits: Tensor
    means: Tensor
    log_scales: Tensor
    coefficients: Tensor


def _unpack(params: Tensor) -> _Mixture:
    logits, rest = params.split((NUM_COMPONENTS, params.shape[1] - NUM_COMPONENTS), dim=1)
    means, log_scales, coefficients = rest.unflatten(1, (3, 3, NUM_COMPONENTS)).unbind(dim=2)
    return _Mixture(logits, means, log_scales, coefficients.tanh())


class DiscretisedLogisticMixture(OutputDistribution):
    """Ten-component mixture for colour images."""

    def num_parameters(self, image_channels: int) -> int:
        """100 for three colours.

        Raises:
            ConfigError: the images do not have three colours.
        """
        if image_channels != 3:
            raise ConfigError(
                f"vae.output discretised_logistic_mixture needs images of 3 colours, these have {image_channels}; "
                "take discretised_logistic, or bernoulli with data.binarise"
            )
        return NUM_COMPONENTS * (1 + 3 * 3)

    def _log_prob_map(self, params: Tensor, x: Tensor) -> Tensor:
        mixture = _unpack(params)
        m, c = mixture.means, mixture.coefficients
        red, green, _ = x.unsqueeze(2).unbind(dim=1)
        means = torch.stack(
            (m[:, 0], m[:, 1] + c[:, 0] * red, m[:, 2] + c[:, 1] * red + c[:, 2] * green),
            dim=1,
        )
        log_probs = discretised_logistic_log_prob(x.unsqueeze(2), means, mixture.log_scales, self.num_bits).sum(dim=1)
        return torch.logsumexp(log_probs + mixture.logits.log_softmax(dim=1), dim=1)

    def _mean(self, params: Tensor) -> Tensor:
        mixture = _unpack(params)
        weights = mixture.logits.softmax(dim=1).unsqueeze(1)
        m = (weights * mixture.means).sum(dim=2)
        c = (weights * mixture.coefficients).sum(dim=2)
        red = m[:, 0].clamp(-1, 1)
        green = (m[:, 1] + c[:, 0] * red).clamp(-1, 1)
        blue = (m[:, 2] + c[:, 1] * red + c[:, 2] * green).clamp(-1, 1)
        return torch.stack((red, green, blue), dim=1)
