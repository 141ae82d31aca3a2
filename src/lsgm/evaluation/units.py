"""Units of likelihoods, the mean over images and its standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def bits_per_dim(nats: float, shape: Sequence[int]) -> float:
    """Convert nats per image to bits per dimension.

    Args:
        nats: negative log-likelihood, or a difference of such, of one image.
        shape: (C, H, W) of the image as it is in the data, without padding.

    Returns:
        nats / (ln 2 * C * H * W). For data reduced to fewer bits: bits per dimension of the reduced data.

    Source: method.md: Likelihood.
    """
    return nats / (math.log(2.0) * math.prod(shape))


def mean_over_processes(values: Tensor, num_processes: int) -> float:
    """Return the mean over images as so many processes would report it that each evaluate equally many images.

    Where the number of images is not a multiple of theirs, the missing ones are the first ones, counted again.

    Args:
        values: (N,), one for each image.
        num_processes: 1 gives the plain mean.

    Source: method.md: Where the published code differs.
    """
    total = math.ceil(values.numel() / num_processes) * num_processes
    return float(values[torch.arange(total) % values.numel()].mean())


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
