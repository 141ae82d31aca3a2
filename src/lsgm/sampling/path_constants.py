"""Constants of an exponential multistep method along a grid of angles: those of each step's predictor and corrector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from .exponential import Angle, step_decay, step_weights

SAMPLES = -4  # the dimension of the samples in all constants


@dataclass(frozen=True)
class PathConstants:
    """Constants of S steps, for predictions counted from the latest backwards; weights of those not there yet are 0.

    Attributes:
        decay: (S, G, C, 1, 1), by which y falls in a step; G is the number of grids, 1 if all samples share one.
        predictor: (S, order, G, C, 1, 1), weights of the predictions up to the start of the step.
        corrector: (S, order + 1, G, C, 1, 1), weights of the prediction at the end of the step and of those before.
    """

    decay: Tensor
    predictor: Tensor
    corrector: Tensor

    def to(self, device: torch.device, dtype: torch.dtype) -> PathConstants:
        """The same elsewhere; rounded before it is moved, for devices without float64."""
        parts = (self.decay, self.predictor, self.corrector)
        return PathConstants(*(part.to(dtype).to(device) for part in parts))


def path_constants(angles: Sequence[Angle], alpha: Tensor, order: int, last_order: int | None = None) -> PathConstants:
    """Compute the constants, float64, on the CPU.

    Args:
        angles: θ of the S + 1 places, rising or falling; each a number, or (G, 1, 1, 1) for G grids.
        alpha: share of the network, (1, C, 1, 1), on the CPU.
        order: predictions that the predictor extrapolates, lower where there are fewer.
        last_order: that of the last step; None for no difference.
    """
    decay, predictor, corrector = [], [], []
    last = len(angles) - 2
    for step, (start, end) in enumerate(pairwise(angles)):
        known = tuple(angles[step::-1][:order])
        extrapolated = known[:last_order] if step == last else known
        decay.append(step_decay(start, end, alpha))
        predictor.append(_filled(step_weights(start, end, extrapolated, alpha), order))
        corrector.append(_filled(step_weights(start, end, (end, *known), alpha), order + 1))
    return PathConstants(torch.stack(decay), torch.stack(predictor), torch.stack(corrector))


def _filled(weights: Tensor, count: int) -> Tensor:
    """Append weights of 0 up to `count`."""
    return torch.cat([weights, weights.new_zeros(count - len(weights), *weights.shape[1:])])
