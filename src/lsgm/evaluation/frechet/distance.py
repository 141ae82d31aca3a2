"""Fréchet distance between generated and real images (method.md: Fréchet distances)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from lsgm import distributed
from lsgm.config import ConfigError, FrechetConfig
from lsgm.data import part_of

from .cache import cached_statistics
from .extractor import FeatureExtractor, as_float
from .features import build_features
from .gaussian import GaussianStatistics, averaged_statistics, gaussian_distance, gaussian_statistics
from .inception import Protocol

RANGE_TOLERANCE = 1.0e-4
GRAY_LEVEL_TOLERANCE = 1.0e-3  # in units of one 8-bit level


@dataclass(frozen=True)
class FrechetResult:
    """A Fréchet distance and all that is needed to compare it with another.

    Attributes:
        value: the distance, >= 0.
        name: what it is called; "FID" for Inception features only.
        features: the feature network, with its version where it is ours.
        protocol: how images reach the network (resize, rounding, padding).
        num_samples: generated images.
        num_reference: real images.
        weights_sha256: checksum of the network's file of weights, None if it has none.
        note: a warning, None if there is none.
    """

    value: float
    name: str
    features: str
    protocol: str
    num_samples: int
    num_reference: int
    weights_sha256: str | None
    note: str | None


def frechet_distance(
    samples: Tensor,
    reference: Tensor,
    config: FrechetConfig,
    root: Path | None = None,
    device: torch.device | str = "cpu",
    *,
    protocol: Protocol = "clean-fid",
    cache: Path | None = None,
) -> FrechetResult:
    """Measure how far generated images are from real ones.

    In a process group every process calls it; batches are dealt to them, features are pooled, all get the result.

    Args:
        samples: generated images (N, C, H, W), float in [0, 1], or uint8. C is 1 or 3.
        reference: real images (M, C, h, w), uint8, un-augmented and not binarised. Where the samples are larger by an
            even margin, the reference is zero-padded like the model's input (: 28x28 sets are compared at
            32x32).
        config: features, weights, number of reference images (a part, see `data.part_of`), batch size, number of parts.
        root: data root, where relative paths of weights start.
        device: where the features are computed.
        protocol: resize for Inception: clean-fid's own, or the paper's.
        cache: file that keeps the reference statistics between calls; None: computed each time.

    Returns:
        The distance with its name, protocol, counts and, where the counts are too small, a note.

    Raises:
        ConfigError: weights absent or not as expected, images that the features are not made for, more parts than
            there are pairs of samples.
        ValueError: shapes that do not fit, values out of range or not finite, fewer than 2 images.
    """
    _check_images(samples, reference)
    _check_parts(len(samples), config.official_processes)
    extractor = build_features(config, root, device, protocol)
    extractor.check((int(samples.shape[1]), int(samples.shape[2]), int(samples.shape[3])))
    part = part_of(len(reference), config.num_reference)
    kept = reference.cpu()[torch.tensor(part)]
    real = _pad_to(kept, samples)
    ours = _sample_statistics(samples, extractor, config)
    theirs = cached_statistics(cache, real, extractor, lambda: _statistics(real, extractor, config.batch_size))
    remarks = [extractor.protocol]
    if len(part) < len(reference):
        remarks.append(f"{len(part):,} of {len(reference):,} real images, drawn with a fixed seed")
    if real.shape != kept.shape:
        remarks.append(f"real images zero-padded to {real.shape[2]}x{real.shape[3]}")
    if _is_eight_bit(samples):
        remarks.append("samples stored with 8 bits")
    if config.official_processes > 1:
        remarks.append(f"means and covariances of {config.official_processes} parts of the samples averaged")
    return FrechetResult(
        value=distributed.on_first(lambda: gaussian_distance(ours, theirs)),
        name=extractor.measure,
        features=extractor.name,
        protocol=", ".join(remarks),
        num_samples=ours.count,
        num_reference=theirs.count,
        weights_sha256=extractor.weights_sha256,
        note=_warning(ours, theirs, extractor.dimension),
    )


def _sample_statistics(samples: Tensor, extractor: FeatureExtractor, config: FrechetConfig) -> GaussianStatistics:
    """Statistics of all samples, or the averages over contiguous parts, of which the last may be one image shorter."""
    parts = samples.tensor_split(config.official_processes)
    return averaged_statistics([_statistics(part, extractor, config.batch_size) for part in parts])


def _statistics(images: Tensor, extractor: FeatureExtractor, batch_size: int) -> GaussianStatistics:
    """Statistics of all features, which the processes compute batch by batch and the first one pools."""
    batches = images.split(batch_size)
    pool = distributed.RowPool(len(images))
    for number in distributed.dealt(len(batches), "batches of features"):
        pool.put(number * batch_size, extractor(as_float(batches[number])))
    features = pool.merge()
    return distributed.on_first(lambda: gaussian_statistics(features.split(batch_size)))


def _check_images(samples: Tensor, reference: Tensor) -> None:
    for name, images in (("samples", samples), ("reference", reference)):
        if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) < 2:
            raise ValueError(f"{name} must be at least 2 images (N, 1 or 3, H, W), not of shape {tuple(images.shape)}")
    if reference.dtype != torch.uint8:
        raise ValueError(f"reference images must be uint8, not {reference.dtype}")
    if samples.dtype == torch.uint8:
        return
    if not torch.isfinite(samples).all():
        raise ValueError("samples hold values that are not finite")
    low, high = float(samples.min()), float(samples.max())
    if low < -RANGE_TOLERANCE or high > 1 + RANGE_TOLERANCE:
        raise ValueError(f"samples must lie in [0, 1], found [{low:.4g}, {high:.4g}]")


def _check_parts(num_samples: int, num_parts: int) -> None:
    if num_samples < 2 * num_parts:
        raise ConfigError(
            f"evaluate.frechet.official_processes = {num_parts}: each part needs at least 2 samples, and there are "
            f"{num_samples}; lower it or raise sample.num_samples"
        )


def _pad_to(reference: Tensor, samples: Tensor) -> Tensor:
    margins = [larger - smaller for larger, smaller in zip(samples.shape[1:], reference.shape[1:], strict=True)]
    if margins[0] or any(margin < 0 or margin % 2 for margin in margins[1:]):
        raise ValueError(
            f"samples of shape {tuple(samples.shape[1:])} and reference images of shape {tuple(reference.shape[1:])} "
            f"cannot be compared"
        )
    rows, columns = margins[1] // 2, margins[2] // 2
    return F.pad(reference, (columns, columns, rows, rows))


def _is_eight_bit(samples: Tensor) -> bool:
    if samples.dtype == torch.uint8:
        return True
    levels = samples * 255
    return bool((levels - levels.round()).abs().max() < GRAY_LEVEL_TOLERANCE)


def _warning(ours: GaussianStatistics, theirs: GaussianStatistics, dimension: int) -> str | None:
    """The rank of a covariance is at most n - 1, so it is singular for n <= d, and the distance is biased upwards."""
    small = [f"{s.count} {name}" for name, s in (("samples", ours), ("real images", theirs)) if s.count <= dimension]
    if not small:
        return None
    return f"rank-deficient covariance: {' and '.join(small)} for {dimension} features; the distance is biased upwards"
