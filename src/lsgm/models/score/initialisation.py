"""Initialisation of the score network's weights (method.md: Score network).

V(s) is uniform with variance 2s / (fan in + fan out). s = 0 means almost zero rather than zero, so that the weights
behind such a layer receive a gradient from the first step on.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

SMALLEST_SCALE = 1e-10


def variance_scaling_(weight: Tensor, scale: float) -> Tensor:
    """Fill a weight in place with draws of V(scale) from torch's CPU generator.

    Args:
        weight: (out, in) of a linear layer or (out, in, k, k) of a convolution.
        scale: s; 0 is replaced by 1e-10.

    Returns:
        `weight` itself.

    Source: NCSN++ (Song et al. 2021), whose network LSGM uses; LSGM App. G.
    """
    receptive_field = math.prod(weight.shape[2:])
    fan_in, fan_out = weight.shape[1] * receptive_field, weight.shape[0] * receptive_field
    variance = (scale or SMALLEST_SCALE) / ((fan_in + fan_out) / 2)
    bound = math.sqrt(3 * variance)
    with torch.no_grad():
        return weight.uniform_(-bound, bound)
