"""Images from a trained model: prior, finer latent groups, decoder mean (method.md: Probability-flow ODE).

Every draw is keyed by the sample's index: image i is the same whatever the batch size, up to the rounding of the
networks, unless the decoder uses batch statistics or one error norm spans the batch (`sample.official_error_norm`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lsgm import distributed
from lsgm.config import SampleConfig
from lsgm.randomness import normal_rows
from lsgm.sampling.base import (
    NumericalError,
    Prior,
    PriorSamples,
    batch_statistics,
    evaluation_mode,
    every_channel_active,
    require_finite,
)
from lsgm.sampling.few_steps import sample_heun, sample_multistep
from lsgm.sampling.ode import sample_ode
from lsgm.sampling.stochastic import sample_ancestral, sample_predictor_corrector

from .base import StepNoise

if TYPE_CHECKING:
    from lsgm.models.lsgm import Lsgm

PRIOR_NOISE = "sampling: prior"
GROUP_NOISE = "sampling: latent group"
STEP_NOISE = "sampling: ancestral step"


@dataclass(frozen=True)
class ImageBatch:
    """Generated images with consecutive indices.

    Attributes:
        images: (B, C, H, W) in [0, 1], float32, on the CPU; padding is not cropped.
        nfe: evaluations of the prior for the batch, 0 for a VAE alone.
        seconds: wall time of prior and decoder, without drawing the noise.
        nfe_per_image: evaluations in which an image took part, mean over the batch; at most `nfe`, since images that
            the adaptive solver has finished take no part in the rest.
    """

    images: Tensor
    nfe: int
    seconds: float
    nfe_per_image: float


@dataclass(frozen=True)
class ImageSamples:
    """All images of a run.

    Attributes:
        images: (N, C, H, W) in [0, 1], float32, on the CPU; padding is not cropped. None in all processes but the
            first.
        nfe_mean: evaluations of the prior for a batch, mean over batches: the number that the paper reports.
        seconds: wall time of prior and decoder, summed over batches, whichever process drew them.
        num_batches: how many batches there were.
        nfe_per_image: evaluations in which an image took part, mean over images.
    """

    images: Tensor | None
    nfe_mean: float
    seconds: float
    num_batches: int
    nfe_per_image: float


def sample_images(model: Lsgm, config: SampleConfig, seed: int, device: torch.device | str) -> ImageSamples:
    """Draw `config.num_samples` images.

    In a process group every process calls it; batches are dealt to them, and the first one gets all images.

    Args:
        model: LSGM, or a VAE alone (`model.prior` None: its latents are standard normal), on `device`.
        config: number, sampler, temperatures, decoder mode.
        seed: of the draws.
        device: where the model is.

    Raises:
        ConfigError: the sampler does not fit the model's SDE.
        SolverError: the prior's sampler could not finish.
        NumericalError: latents or images are not finite.
    """
    pool = distributed.RowPool(config.num_samples)
    batches = _batches(config)

    def draw(number: int) -> tuple[int, float, float]:
        batch = _sample_batch(model, config, batches[number], seed, torch.device(device))
        pool.put(batches[number].start, batch.images)
        return batch.nfe, batch.seconds, batch.nfe_per_image * len(batches[number])

    costs = distributed.collect(draw, len(batches), NumericalError, "batches of images")
    nfe, seconds, of_images = (sum(part) for part in zip(*costs, strict=True))
    count = len(batches)
    return ImageSamples(pool.merge(), nfe / count, seconds, count, of_images / config.num_samples)


def iterate_images(model: Lsgm, config: SampleConfig, seed: int, device: torch.device | str) -> Iterator[ImageBatch]:
    """Like `sample_images`, one batch at a time; the model's modes are its own again between batches."""
    for indices in _batches(config):
        yield _sample_batch(model, config, indices, seed, torch.device(device))


def _batches(config: SampleConfig) -> list[range]:
    """Indices of the images in each batch."""
    starts = range(0, config.num_samples, config.batch_size)
    return [range(start, min(start + config.batch_size, config.num_samples)) for start in starts]


@torch.no_grad()
def _sample_batch(model: Lsgm, config: SampleConfig, indices: range, seed: int, device: torch.device) -> ImageBatch:
    noises = _draw_noises(model, indices, seed, device)
    with evaluation_mode(model):
        started = _clock(device)
        with every_channel_active(model.prior) if config.official_mask else nullcontext():
            latents, nfe, nfe_per_image = _sample_latents(model, config, noises, indices, seed)
        for latent in latents:
            require_finite(latent, "sampled latents")
        with batch_statistics(model.vae) if config.batch_statistics else nullcontext():
            mean = model.vae.output.mean(model.vae.decode(latents))
        images = (mean.float().clamp(-1, 1) + 1) / 2
        seconds = _clock(device) - started
    require_finite(images, "sampled images")
    return ImageBatch(images.cpu(), nfe, seconds, nfe_per_image)


def step_noises(indices: range, shape: tuple[int, int, int], seed: int) -> StepNoise:
    """What the samplers of the prior draw on the way, for images of these indices: (B, *shape) for each number."""
    return lambda number: normal_rows(indices, shape, seed, STEP_NOISE, number)


def _draw_noises(model: Lsgm, indices: range, seed: int, device: torch.device) -> list[Tensor]:
    """Standard normals: one for the prior if there is one, then one per group that the prior does not model."""
    shapes = list(model.vae.latent_shapes)
    first = 0 if model.prior is None else model.vae.num_prior_groups
    draws = [normal_rows(indices, shapes[group], seed, GROUP_NOISE, group) for group in range(first, len(shapes))]
    if model.prior is not None:
        draws.insert(0, normal_rows(indices, model.vae.prior_shape, seed, PRIOR_NOISE))
    return [draw.to(device) for draw in draws]


def _sample_latents(
    model: Lsgm, config: SampleConfig, noises: list[Tensor], indices: range, seed: int
) -> tuple[list[Tensor], int, float]:
    """Latents of all groups in decoding order, and the evaluations of the prior: for the batch, and for an image."""
    if model.prior is None:
        return [config.vae_temperature * noise for noise in noises], 0, 0.0

    samples = sample_prior(model.prior, noises[0], config, step_noises(indices, model.vae.prior_shape, seed))
    top = model.vae.split(samples.latent.to(noises[0].dtype))
    latents = [*top, *(config.vae_temperature * noise for noise in noises[1:])]
    return latents, samples.nfe, samples.nfe_per_sample


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


Sampler = Callable[[Prior, Tensor, SampleConfig, StepNoise | None], PriorSamples]

SAMPLERS: dict[str, Sampler] = {
    "ode": sample_ode,
    "multistep": sample_multistep,
    "heun": sample_heun,
    "ancestral": sample_ancestral,
    "predictor_corrector": sample_predictor_corrector,
}


def sample_prior(
    prior: Prior, noise: Tensor, config: SampleConfig, step_noise: StepNoise | None = None
) -> PriorSamples:
    """Draw z_0 from the prior with the sampler that `config.solver` names.

    Args:
        prior: noise predictor with its SDE, in evaluation mode.
        noise: standard normals, (B, C, r, r); temperature and base variance are applied here.
        config: sampler and its settings.
        step_noise: standard normals by number, needed by stochastic samplers.

    Raises:
        ConfigError: the sampler does not fit the SDE.
        SolverError: the sampler could not finish.
    """
    return SAMPLERS[config.solver](prior, noise, config, step_noise)
