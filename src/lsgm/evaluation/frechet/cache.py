"""A file that keeps the statistics of the reference images, so that they are computed once per data set.

It is only a cache: a file that is damaged or belongs to other images or features is written anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from lsgm import distributed
from lsgm.whole_file import write_whole

from .extractor import FeatureExtractor
from .gaussian import GaussianStatistics


def cached_statistics(
    cache: Path | None, images: Tensor, extractor: FeatureExtractor, compute: Callable[[], GaussianStatistics]
) -> GaussianStatistics:
    """Return the statistics from the cache file, or compute and keep them.

    Args:
        cache: safetensors file, None to compute each time.
        images: reference images, uint8 (N, C, H, W), as they are compared (padded).
        extractor: the feature network.
        compute: gives the statistics.
    """
    if cache is None:
        return compute()
    key = _key(images, extractor)
    kept = distributed.on_first(lambda: _read(cache, key))
    if kept is None:
        kept = compute()
        if distributed.is_first():
            _write(cache, key, kept)
    return kept


def _key(images: Tensor, extractor: FeatureExtractor) -> str:
    """What the statistics depend on: images with their count and shape, network, its weights, resize."""
    pixels = hashlib.sha256(images.contiguous().numpy().data).hexdigest()
    parts = (pixels, tuple(images.shape), extractor.name, extractor.weights_sha256, extractor.protocol)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _read(cache: Path, key: str) -> GaussianStatistics | None:
    try:
        with safe_open(cache, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in ("mean", "covariance", "count")}
            if metadata.get("key") != _signed(key, tensors):
                return None
            return GaussianStatistics(tensors["mean"], tensors["covariance"], int(tensors["count"]))
    except Exception:  # a damaged file can fail in any way
        return None


def _signed(key: str, tensors: dict[str, Tensor]) -> str:
    """The key with a checksum over the statistics, so that a damaged file is noticed."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return f"{key} {digest.hexdigest()}"


def _write(cache: Path, key: str, statistics: GaussianStatistics) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        "mean": statistics.mean.contiguous(),
        "covariance": statistics.covariance.contiguous(),
        "count": torch.tensor(statistics.count),
    }
    write_whole(cache, lambda temporary: save_file(tensors, temporary, {"key": _signed(key, tensors)}))
