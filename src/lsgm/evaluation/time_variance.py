"""How much the prior's training objective varies under each distribution of times (LSGM section 3.4).

One term of the objective is λ_p(t) Σ_d (ε − ε_θ)² with λ_p = w(t) / (2 r(t)), at one image, one ε and one t ~ r. Its
mean does not depend on r; its standard deviation does, and gradients are as noisy as it is large.

Under a proposal that suits the objective badly, the terms are so heavy-tailed that their own sample shows neither. So
the times of all proposals are pooled: an average under r is one over the mixture q of all of them with weights r / q,
which never exceed the number of proposals.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lsgm.config import ConfigError, ExperimentConfig
from lsgm.data import eval_batches
from lsgm.objective import denoising_error
from lsgm.randomness import normal_rows, uniform_rows
from lsgm.sampling import evaluation_mode, require_finite
from lsgm.sde import Sde
from lsgm.time_sampling import WEIGHTINGS, TimeProposal, TimeSampler, build_time_sampler

from .posterior import posterior_noise

if TYPE_CHECKING:
    from lsgm.models.lsgm import Lsgm

UNIFORM = "uniform"
PAPER_WEIGHTINGS = ("ll", "un", "re")
TIME_PURPOSE = "time variance: times"
NOISE_PURPOSE = "time variance: noise"
QUADRATURE_NODES = 20_000


@dataclass(frozen=True)
class TimeVariance:
    """One objective under one distribution of times.

    Attributes:
        weighting: `ll`, `un` or `re`: w of the objective.
        times: `uniform`, or the weighting whose importance sampler draws the times.
        mean: of one term, nats.
        std: standard deviation of one term over images, noises and times, nats.
        normal_variation: std / mean if latents and prior were standard normal, see `normal_variation`.
    """

    weighting: str
    times: str
    mean: float
    std: float
    normal_variation: float


def time_proposals(sde: Sde) -> dict[str, TimeProposal]:
    """Return all distributions of times that an SDE has: `uniform`, and r_w by the name of its weighting."""
    proposals = {UNIFORM: build_time_sampler(sde, "ll", UNIFORM).proposal}
    for weighting in PAPER_WEIGHTINGS:
        try:
            proposals[weighting] = build_time_sampler(sde, weighting, "is").proposal
        except ConfigError:
            continue  # not defined for this SDE, such as r_un for a geometric one
    return proposals


def normal_variation(sde: Sde, weighting: str, proposal: TimeProposal, num_dims: int) -> float:
    """Standard deviation over mean of one term for q(z_0) = p(z_0) = N(0, I).

    Every dimension of ε − ε_θ is then normal with variance v_t = 1 − σ_t² / Var(z_t), so that the sum of squares is
    v_t times a chi-square variable with D degrees of freedom, and std² / mean² is

        (1 + 2/D) ∫ (w v)² / r dt / (∫ w v dt)² − 1,

    which is 2/D for the proposal of the objective's own weighting.

    Args:
        sde: the forward process.
        weighting: w of the objective.
        proposal: r.
        num_dims: D.

    Returns:
        The ratio, by the midpoint rule in the proposal's own quantiles.

    Source: method.md: Time sampling (its table of standard deviations is the case of many dimensions).
    """
    rho = (torch.arange(QUADRATURE_NODES, dtype=torch.float64) + 0.5) / QUADRATURE_NODES
    time = proposal.time(rho).clamp(sde.time_eps, 1.0)
    error_variance = 1 - sde.variance(time) / sde.normal_variance(time)
    integrand = WEIGHTINGS[weighting](sde, time) * error_variance / proposal.density(time)
    ratio = integrand.square().mean() / integrand.mean().square()
    return math.sqrt((1 + 2 / num_dims) * float(ratio) - 1)


@torch.no_grad()
def measure_time_variance(
    model: Lsgm, images: Tensor, config: ExperimentConfig, seed: int, device: torch.device | str
) -> list[TimeVariance]:
    """Measure all weightings under all distributions of times, from one set of images, noises and times.

    Args:
        model: with a prior, on `device`.
        images: uint8 (N, C, H, W), training images; the first `figures.variance_images` count.
        config: data preparation, and number of images and times. Times are stratified for each image.
        seed: of binarisation, posterior draws, times and noises, which depend on it and the image's index alone.
        device: where the model is.

    Returns:
        One entry per weighting and distribution.

    Raises:
        NumericalError: a squared error is not finite.
    """
    sde = model.prior.sde
    proposals = time_proposals(sde)
    with evaluation_mode(model):
        pairs = list(_squared_errors(model, images, config, proposals, seed, torch.device(device)))
    time, error = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    require_finite(error, "squared errors of the prior")
    mixture = torch.stack([proposal.density(time) for proposal in proposals.values()]).mean(dim=0)
    num_dims = math.prod(model.vae.prior_shape)
    found = []
    for weighting in PAPER_WEIGHTINGS:
        for name, proposal in proposals.items():
            density = proposal.density(time)
            mean, std = _weighted_moments(0.5 * WEIGHTINGS[weighting](sde, time) / density * error, density / mixture)
            normal = normal_variation(sde, weighting, proposal, num_dims)
            found.append(TimeVariance(weighting, name, mean, std, normal))
    return found


def _squared_errors(
    model: Lsgm,
    images: Tensor,
    config: ExperimentConfig,
    proposals: dict[str, TimeProposal],
    seed: int,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Times and Σ_d (ε − ε_θ)², each (B,) in float64 on the CPU, as many of each proposal."""
    sde, num_times = model.prior.sde, config.figures.variance_times
    for indices, z0 in _encodings(model, images, config, seed, device):
        for number in range(num_times):
            rho = (uniform_rows(indices, (), seed, TIME_PURPOSE, number) + number) / num_times
            noise = normal_rows(indices, z0.shape[1:], seed, NOISE_PURPOSE, number).to(device)
            for proposal in proposals.values():
                times = TimeSampler(sde, "un", proposal).sample(rho)
                error = denoising_error(sde, model.prior, z0, noise, times.time.to(device)).flatten(1).sum(dim=1)
                yield times.time.double(), error.cpu().double()


def _encodings(
    model: Lsgm, images: Tensor, config: ExperimentConfig, seed: int, device: torch.device
) -> Iterator[tuple[list[int], Tensor]]:
    """Image indices and one posterior draw each of the prior's latent, (B, C, r, r)."""
    batch_size, limit = config.evaluate.nelbo.batch_size, config.figures.variance_images
    for batch, x in eval_batches(images, config.data, batch_size, seed, limit):
        indices = batch.tolist()
        noises = posterior_noise(model.vae.latent_shapes, indices, seed, 0, device)
        yield indices, model.vae.join(model.vae.encode(x.to(device), noises).latents)


def _weighted_moments(values: Tensor, weights: Tensor) -> tuple[float, float]:
    """Mean and standard deviation, (N,) each; the weights are normalised, so that equal values have no deviation."""
    weights = weights / weights.sum()
    mean = (weights * values).sum()
    return mean.item(), (weights * (values - mean).square()).sum().sqrt().item()
