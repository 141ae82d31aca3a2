"""Gaussian statistics of features, and the Fréchet distance between two Gaussians.

All features are pooled into one mean and one covariance, in float64, batch by batch. Averaging those of several
processes, as the authors' code does, gives another number: a parity switch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# A distance below zero by no more than this, relative to the traces, is round-off.
ROUND_OFF = 1.0e-8


@dataclass(frozen=True)
class GaussianStatistics:
    """Mean (d,) and unbiased covariance (d, d) of `count` feature vectors, float64 on the CPU."""

    mean: Tensor
    covariance: Tensor
    count: int


def gaussian_statistics(batches: Iterable[Tensor]) -> GaussianStatistics:
    """Pool feature batches into one Gaussian.

    Args:
        batches: tensors (B, d), any floating type and device.

    Returns:
        Mean and covariance with denominator n - 1.

    Raises:
        ValueError: fewer than two vectors, or a feature that is not finite.

    Source: merging of centred sums, Chan, Golub and LeVeque (1979); no cancellation, no second pass.
    """
    count, mean, scatter = 0, None, None
    for batch in batches:
        features = batch.detach().to(device="cpu", dtype=torch.float64)
        if not torch.isfinite(features).all():
            raise ValueError(f"a feature among images {count} to {count + len(features) - 1} is not finite")
        size, centre = len(features), features.mean(dim=0)
        centred = features - centre
        if mean is None or scatter is None:
            count, mean, scatter = size, centre, centred.T @ centred
            continue
        shift = centre - mean
        total = count + size
        scatter = scatter + centred.T @ centred + torch.outer(shift, shift) * (count * size / total)
        mean = mean + shift * (size / total)
        count = total
    if count < 2 or mean is None or scatter is None:
        raise ValueError(f"a covariance needs at least 2 images, found {count}")
    return GaussianStatistics(mean, scatter / (count - 1), count)


def averaged_statistics(parts: Sequence[GaussianStatistics]) -> GaussianStatistics:
    """Average the statistics of several parts of the images, each with the same weight.

    The covariance lacks what the parts' means differ by, and holds each part's own correction n - 1.

    Args:
        parts: at least one.

    Returns:
        Plain means of means and covariances; `count` is the number of all images.

    Source: method.md: Where the published code differs.
    """
    return GaussianStatistics(
        mean=torch.stack([part.mean for part in parts]).mean(dim=0),
        covariance=torch.stack([part.covariance for part in parts]).mean(dim=0),
        count=sum(part.count for part in parts),
    )


def gaussian_distance(first: GaussianStatistics, second: GaussianStatistics) -> float:
    """Squared Fréchet (2-Wasserstein) distance |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½).

    The trace of the root is the sum of the singular values of A1ᵀ A2 with C = A Aᵀ. Unlike the root of the product
    C1 C2, which is not symmetric and may come out complex, this holds to full precision for singular covariances too.

    Args:
        first: one Gaussian.
        second: the other, of the same dimension.

    Returns:
        The distance, not negative.

    Raises:
        ValueError: dimensions differ, or a number is not finite.

    Source: Dowson and Landau (1982); method.md: Fréchet distances.
    """
    if first.mean.shape != second.mean.shape:
        raise ValueError(f"features of {len(first.mean)} and {len(second.mean)} dimensions cannot be compared")
    parts = (first.mean, first.covariance, second.mean, second.covariance)
    if not all(torch.isfinite(part).all() for part in parts):
        raise ValueError("mean or covariance of the features is not finite")
    root_trace = torch.linalg.svdvals(_factor(first.covariance).T @ _factor(second.covariance)).sum()
    traces = first.covariance.trace() + second.covariance.trace()
    shift = (first.mean - second.mean).square().sum()
    distance = float(shift + traces - 2 * root_trace)
    if not distance >= -ROUND_OFF * float(traces):
        raise ValueError(f"Fréchet distance {distance}: the statistics are damaged")
    return max(distance, 0.0)


def _factor(covariance: Tensor) -> Tensor:
    """Matrix A (d, rank) with A Aᵀ = covariance; eigenvalues at the level of round-off are zeros, and left out."""
    values, vectors = torch.linalg.eigh((covariance + covariance.T) / 2)
    kept = values > len(values) * torch.finfo(values.dtype).eps * values.abs().max()
    return vectors[:, kept] * values[kept].sqrt()
