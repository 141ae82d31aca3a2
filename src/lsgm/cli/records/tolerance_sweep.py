"""The measurement of `lsgm tolerance`: images at each tolerance of the ODE, their cost and their distance."""

from __future__ import annotations

import tempfile
from pathlib import Path

from lsgm.cli.records.image_distance import measure_distance
from lsgm.cli.records.samples_file import as_kept
from lsgm.config import ExperimentConfig, SampleConfig
from lsgm.data import Dataset
from lsgm.models import Lsgm
from lsgm.progress_log import told
from lsgm.reporting.records.figure_measurements import TolerancePoint
from lsgm.sampling import NumericalError, sample_images


def sweep_settings(config: ExperimentConfig, tol: float) -> SampleConfig:
    """How images are drawn at one tolerance."""
    count = config.figures.num_samples or config.sample.num_samples
    return config.sample.model_copy(update={"solver": "ode", "tol": tol, "num_samples": count})


def sweep(
    model: Lsgm, dataset: Dataset, config: ExperimentConfig, root: Path | None, device: str
) -> tuple[list[TolerancePoint], list[str]]:
    """Measure every tolerance of `figures.tolerances`, from the same noise.

    Args:
        model: with a prior, on `device`.
        dataset: prepared data, for the Fréchet reference.
        config: resolved settings.
        root: data root, for feature weights.
        device: where to compute.

    Returns:
        The points, and why a number is missing where one is.
    """
    points, problems = [], []
    with tempfile.TemporaryDirectory() as folder:
        for tol in told(config.figures.tolerances, "tolerances"):
            settings = sweep_settings(config, tol)
            try:
                if not points:
                    _warm_up(model, settings, device)
                drawn = sample_images(model, settings, config.seed, device)
            except NumericalError as error:
                problems.append(f"tolerance {tol:g}: {error}")
                points.append(TolerancePoint(tol=tol))
                continue
            images = as_kept(drawn.images, config.data.pad, dataset.image_shape)
            frechet = measure_distance(images, dataset, config, root, device, Path(folder) / "reference.safetensors")
            seconds = drawn.seconds / drawn.num_batches
            points.append(
                TolerancePoint(
                    tol=tol,
                    nfe=drawn.nfe_mean,
                    nfe_per_image=drawn.nfe_per_image,
                    seconds_per_batch=seconds,
                    frechet=frechet,
                )
            )
    return points, problems


def _warm_up(model: Lsgm, settings: SampleConfig, device: str) -> None:
    """Draw one batch, whose time does not count: the first of a process pays for what later ones find ready."""
    count = min(settings.batch_size, settings.num_samples)
    sample_images(model, settings.model_copy(update={"num_samples": count}), 0, device)
