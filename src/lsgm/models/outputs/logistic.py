"""Mass that a logistic distribution gives to a quantised intensity, shared by the single and the mixed form.

Intensities are the 2^bits values k / V * 2 - 1 with V = 2^bits - 1, so bins are 2 / V wide; the two outermost are open.
Source: method.md: NVAE backbone.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MIN_LOG_SCALE = -7.0
"""Smallest log-scale: a logistic much narrower than a bin has no useful gradient."""

EDGE = 0.999
"""|x| above this is an outermost intensity."""

MIN_LOG_MASS = math.log(1e-5)
"""Bins of less mass than this are given density times width, as in the published numbers."""


def discretised_logistic_log_prob(x: Tensor, mean: Tensor, log_scale: Tensor, num_bits: int) -> Tensor:
    """Return the log-mass of the bin around each intensity.

    Args:
        x: intensities in [-1, 1].
        mean: location, of a shape that broadcasts with x.
        log_scale: log of the logistic's scale before its lower limit, of a shape that broadcasts with x.
        num_bits: bits per intensity.

    Returns:
        Log-probabilities in nats, of the broadcast shape.
    """
    num_bins = 2**num_bits - 1
    log_scale = log_scale.clamp(min=MIN_LOG_SCALE)
    inverse_scale = torch.exp(-log_scale)
    centred = x - mean
    middle = inverse_scale * centred
    half_width = inverse_scale / num_bins
    log_below_upper = F.logsigmoid(middle + half_width)
    log_above_lower = -F.softplus(middle - half_width)
    # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - e^{b-a}): the difference itself has no digits left in tails.
    # torch.where differentiates both branches, so the one that is not taken must be finite: hence the clamp.
    width_factor = -torch.expm1(-2 * half_width.clamp(min=1e-30))
    log_mass = log_below_upper + log_above_lower + width_factor.log()
    log_density = middle - log_scale - 2 * F.softplus(middle)
    inside = torch.where(log_mass > MIN_LOG_MASS, log_mass, log_density - math.log(num_bins / 2))
    return torch.where(x < -EDGE, log_below_upper, torch.where(x > EDGE, log_above_lower, inside))
