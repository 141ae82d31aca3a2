"""One discretised logistic per colour value (method.md: NVAE backbone, `dl`); any number of colours and of bits."""

from __future__ import annotations

from torch import Tensor

from .base import OutputDistribution
from .logistic import discretised_logistic_log_prob


class DiscretisedLogistic(OutputDistribution):
    """Independent discretised logistics; the head gives all locations and then all log-scales."""

    def num_parameters(self, image_channels: int) -> int:
        """A location and a log-scale per colour channel."""
        return 2 * image_channels

    def _log_prob_map(self, params: Tensor, x: Tensor) -> Tensor:
        mean, log_scale = params.chunk(2, dim=1)
        return discretised_logistic_log_prob(x, mean, log_scale, self.num_bits).sum(dim=1)

    def _mean(self, params: Tensor) -> Tensor:
        mean, _ = params.chunk(2, dim=1)
        return mean.clamp(-1, 1)
