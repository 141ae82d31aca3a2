"""Units of likelihoods, and the standard error of a mean over images."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor


def bits_per_dim(nats: float, shape: Sequence[int]) -> float:
    """Convert nats per image to bits per dimension.

    Args:
        nats: negative log-likelihood, or a difference of such, of one image.
        shape: (C, H, W) of the image as it is in the data, without padding.

    Returns:
        nats / (ln 2 * C * H * W). For data reduced to fewer bits: bits per dimension of the reduced data.

    Source: method 9.
    """
    return nats / (math.log(2.0) * math.prod(shape))


def standard_error(values: Tensor) -> float:
    """Return the standard error of the mean of independent values: s / sqrt(N), s with N - 1 in its denominator.

    Args:
        values: (N,).

    Returns:
        NaN for one value, of which the spread is not known.
    """
    if values.numel() < 2:
        return math.nan
    return float(values.double().std(correction=1)) / math.sqrt(values.numel())
