"""The Fréchet distance of generated images, as all verbs that measure one do it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from lsgm.config import ExperimentConfig
from lsgm.data import Dataset
from lsgm.evaluation.frechet import frechet_distance
from lsgm.reporting.records.metrics import FrechetMetrics


def measure_distance(
    images: Tensor,
    dataset: Dataset,
    config: ExperimentConfig,
    root: Path | None,
    device: str,
    cache: Path | None = None,
) -> FrechetMetrics | None:
    """Measure how far generated images are from those of the data set.

    Args:
        images: generated, uint8 (N, C, H, W), as `lsgm sample` keeps them.
        dataset: prepared data; `evaluate.frechet.reference` says which of its images count.
        config: resolved settings.
        root: data root, for feature weights.
        device: where to compute.
        cache: file for the statistics of the reference, if they are needed again.

    Returns:
        The distance with what it was measured on; None if the settings want none.
    """
    settings = config.evaluate.frechet
    if settings.features == "none":
        return None
    real = dataset.train if settings.reference == "train" else torch.cat([dataset.train, dataset.test])
    result = frechet_distance(images, real, settings, root, device, protocol=settings.protocol, cache=cache)
    return FrechetMetrics(**{field: getattr(result, field) for field in FrechetMetrics.model_fields})
