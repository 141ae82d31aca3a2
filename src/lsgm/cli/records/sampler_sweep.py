"""The measurement of `lsgm samplers`: images and latents of each sampler at each setting, cost, error and distance.

The error is that of the latents z_0, against the ODE solved to a tight tolerance from the same noise: what the Fréchet
distance cannot see until it is large.
"""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from lsgm.cli.records.image_distance import measure_distance
from lsgm.cli.records.samples_file import as_kept
from lsgm.config import ExperimentConfig, SampleConfig
from lsgm.data import Dataset
from lsgm.models import Lsgm
from lsgm.progress_log import told
from lsgm.randomness import normal_rows
from lsgm.reporting.records.figure_measurements import SamplerPoint
from lsgm.sampling import (
    NumericalError,
    PriorSamples,
    evaluation_mode,
    every_channel_active,
    sample_images,
    sample_prior,
)
from lsgm.sampling.images import PRIOR_NOISE, step_noises


@dataclass
class SamplerSweep:
    """What was found: the points, what went wrong if anything did, and the reference."""

    points: list[SamplerPoint] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    reference_nfe: float | None = None
    latent_std: float | None = None


def num_images(config: ExperimentConfig) -> int:
    """Images per point."""
    return config.figures.num_samples or config.sample.num_samples


def num_latents(config: ExperimentConfig) -> int:
    """Latents that are compared with the reference."""
    return min(config.figures.reference_samples, num_images(config))


def sampler_settings(config: ExperimentConfig) -> list[tuple[float, SampleConfig]]:
    """Tolerance or number of evaluations of each point, and how its images are drawn."""
    found: list[tuple[float, SampleConfig]] = [
        (tol, _settings(config, solver="ode", tol=tol)) for tol in config.figures.tolerances
    ]
    for solver in ("heun", "multistep"):
        for count in config.figures.evaluations:
            found.append((count, _settings(config, solver=solver, evaluations=count)))
    return found


def compare_samplers(
    model: Lsgm, dataset: Dataset, config: ExperimentConfig, root: Path | None, device: str
) -> SamplerSweep:
    """Measure every sampler at every setting, all from the same noise.

    Args:
        model: with a prior, on `device`.
        dataset: prepared data, for the Fréchet reference.
        config: resolved settings.
        root: data root, for feature weights.
        device: where to compute.
    """
    found = SamplerSweep()
    try:
        tight = _settings(config, solver="ode", tol=config.figures.reference_tol)
        reference = _latents(model, tight, config, device)
    except NumericalError as error:
        return SamplerSweep(problems=[f"reference at tolerance {config.figures.reference_tol:g}: {error}"])
    found.reference_nfe, found.latent_std = reference.nfe, reference.latent.std().item()
    with tempfile.TemporaryDirectory() as folder:
        for setting, settings in told(sampler_settings(config), "samplers"):
            point = SamplerPoint(solver=settings.solver, setting=setting)
            try:
                error_of_latents = _rms(_latents(model, settings, config, device).latent - reference.latent)
                drawn = sample_images(model, settings, config.seed, device)
            except NumericalError as error:
                found.problems.append(f"{settings.solver} at {setting:g}: {error}")
                found.points.append(point)
                continue
            images = as_kept(drawn.images, config.data.pad, dataset.image_shape)
            numbers = {
                "nfe": drawn.nfe_mean,
                "seconds_per_batch": drawn.seconds / drawn.num_batches,
                "latent_error": error_of_latents,
                "frechet": measure_distance(images, dataset, config, root, device, Path(folder) / "real.safetensors"),
            }
            found.points.append(point.model_copy(update=numbers))
    return found


def _settings(config: ExperimentConfig, **changes: object) -> SampleConfig:
    """The run's own way to sample with these changes, validated anew."""
    values = {**config.sample.model_dump(), "num_samples": num_images(config), **changes}
    return SampleConfig.model_validate(values)


@torch.no_grad()
def _latents(model: Lsgm, settings: SampleConfig, config: ExperimentConfig, device: str) -> PriorSamples:
    """The first latents that these settings draw, from the noise of the images with the same indices."""
    indices, shape = range(num_latents(config)), model.vae.prior_shape
    noise = normal_rows(indices, shape, config.seed, PRIOR_NOISE).to(device)
    mask = every_channel_active(model.prior) if settings.official_mask else nullcontext()
    with evaluation_mode(model), mask:
        return sample_prior(model.prior, noise, settings, step_noises(indices, shape, config.seed))


def _rms(difference: Tensor) -> float:
    return difference.square().mean().sqrt().item()
