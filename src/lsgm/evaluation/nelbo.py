"""The negative evidence lower bound of test images (LSGM Eq. (8); method.md: Likelihood).

NELBO(x) = -log p(x|z) + sum_g log q(z_g|.) - sum over finer groups log N(z_g; 0, I) - log p(z_0), at one posterior draw
per image. For a VAE alone every group has the standard normal prior.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lsgm import distributed
from lsgm.config import ExperimentConfig, NelboConfig
from lsgm.data import eval_batch, part_of
from lsgm.sampling import NumericalError, Prior, evaluation_mode, every_channel_active, require_finite

from .fixed_steps import change_by_halving, fixed_step_log_prob
from .likelihood import PriorLogProb, prior_log_prob
from .official_probes import official_prior_log_prob
from .posterior import PosteriorDraw, draw_posterior, posterior_noise, standard_normal_log_prob
from .probes import draw_probes
from .solve_errors import SolveErrors, solve_errors
from .units import mean_over_processes, standard_error

if TYPE_CHECKING:
    from lsgm.models.lsgm import Lsgm

HALVING_IMAGES = 16  # enough for a mean, few enough not to count beside a test set


@dataclass(frozen=True)
class NelboTerms:
    """The three terms for a batch, each (B,) in nats; their sum is the NELBO.

    Attributes:
        reconstruction: -log p(x|z).
        negative_entropy: log q(z|x) at the draw.
        cross_entropy: -log p(z).
        nfe: mean evaluations of the prior per solve; 0 for a VAE alone.
        probe_variance: of the cross entropy by the trace probes, nats²; NaN if they cannot tell, 0 for a VAE alone.
    """

    reconstruction: Tensor
    negative_entropy: Tensor
    cross_entropy: Tensor
    nfe: float
    probe_variance: Tensor

    @property
    def total(self) -> Tensor:
        """NELBO of each image, (B,), nats."""
        return self.reconstruction + self.negative_entropy + self.cross_entropy

    def cpu(self) -> NelboTerms:
        """The same on the CPU."""
        return NelboTerms(
            self.reconstruction.cpu(),
            self.negative_entropy.cpu(),
            self.cross_entropy.cpu(),
            self.nfe,
            self.probe_variance.cpu(),
        )


@dataclass(frozen=True)
class NelboResult:
    """NELBO of a set of images, in nats per image; mean_nats = reconstruction + negative_entropy + cross_entropy.

    Attributes:
        mean_nats: mean over the images; with `evaluate.nelbo.official_processes` the first may count twice, here and in
            the terms.
        stderr_nats: its standard error, from the spread over images (posterior draws and probes included).
        reconstruction: mean of -log p(x|z).
        negative_entropy: mean of log q(z|x).
        cross_entropy: mean of -log p(z).
        num_images: how many images.
        nfe_mean: evaluations of the prior per solve, mean over batches; 0 for a VAE alone.
        errors: of the solves of the prior's ODE; None for a VAE alone.
        per_image: (N,), float64, in the order of the data.
    """

    mean_nats: float
    stderr_nats: float
    reconstruction: float
    negative_entropy: float
    cross_entropy: float
    num_images: int
    nfe_mean: float
    per_image: Tensor
    errors: SolveErrors | None = None

    @property
    def entropy(self) -> float:
        """Mean of -log q(z|x), nats."""
        return -self.negative_entropy


def evaluate_nelbo(
    model: Lsgm, images: Tensor, config: ExperimentConfig, seed: int, device: torch.device | str
) -> NelboResult:
    """Measure the NELBO.

    In a process group every process calls it; batches are dealt to them, and all get the whole result.

    Args:
        model: LSGM or VAE alone (`model.prior` None), on `device`.
        images: uint8, (N, C, H, W), as stored; a part of `evaluate.nelbo.num_images` counts, see `data.part_of`.
        config: data preparation and the settings of `evaluate.nelbo`.
        seed: of binarisation, posterior draws and trace probes, which depend on it and the image's index alone.
        device: where the model is.

    Raises:
        SolverError: the prior's ODE could not be solved.
        NumericalError: a term is not finite.

    Source: LSGM Eq. (8); method.md: Likelihood.
    """
    device = torch.device(device)
    settings = config.evaluate.nelbo
    batches = evaluation_batches(images, config)

    def measure(number: int) -> NelboTerms:
        indices = batches[number]
        x = eval_batch(images, config.data, indices, seed).to(device)
        noises = posterior_noise(model.vae.latent_shapes, indices, seed, 0, device)
        with torch.no_grad():
            draw = draw_posterior(model.vae, x, noises)
        return nelbo_terms(model, draw, indices, settings, seed).cpu()

    def halve(number: int) -> Tensor:
        measured = [index for batch in batches for index in batch]
        indices = [measured[place] for place in part_of(len(measured), HALVING_IMAGES)]
        x = eval_batch(images, config.data, indices, seed).to(device)
        noises = posterior_noise(model.vae.latent_shapes, indices, seed, 0, device)
        with torch.no_grad():
            latents = draw_posterior(model.vae, x, noises).latents
        z0 = model.vae.join(latents[: model.vae.num_prior_groups])
        return change_by_halving(model.prior, z0, indices, settings, seed).cpu()

    mask = every_channel_active(model.prior) if settings.official_mask else nullcontext()
    with evaluation_mode(model), mask:
        terms = distributed.collect(measure, len(batches), NumericalError, "batches of the NELBO")
        halving = None
        if model.prior is not None and settings.takes_fixed_steps:
            (halving,) = distributed.collect(halve, 1, NumericalError, "checks of the step size")
    return _summarise(terms, halving, settings.official_processes)


def evaluation_batches(images: Tensor, config: ExperimentConfig) -> list[list[int]]:
    """Indices of the images that are measured, `evaluate.nelbo.batch_size` at a time."""
    size, part = config.evaluate.nelbo.batch_size, part_of(len(images), config.evaluate.nelbo.num_images)
    return [part[start : start + size] for start in range(0, len(part), size)]


def nelbo_terms(model: Lsgm, draw: PosteriorDraw, indices: list[int], settings: NelboConfig, seed: int) -> NelboTerms:
    """Evaluate the three terms for one batch of posterior draws.

    Args:
        model: in evaluation mode.
        draw: the draws.
        indices: index of each image, which keys its trace probes.
        settings: solver and probes.
        seed: of the probes.

    Raises:
        SolverError: the prior's ODE could not be solved.
        NumericalError: a term is not finite.
    """
    if model.prior is None:
        log_prior = standard_normal_log_prob(draw.latents)
        solved = PriorLogProb(log_prior, 0.0, torch.zeros_like(log_prior))
    else:
        top = model.vae.num_prior_groups
        z0 = model.vae.join(draw.latents[:top])
        solved = _prior_log_prob(model.prior, z0, indices, settings, seed)
        log_prior = solved.log_prob + standard_normal_log_prob(draw.latents[top:]).to(solved.log_prob)
    terms = NelboTerms(draw.reconstruction, draw.log_q, -log_prior, solved.nfe, solved.variance)
    require_finite(terms.reconstruction, "reconstruction term of the NELBO")
    require_finite(terms.negative_entropy, "log q of the NELBO")
    require_finite(terms.cross_entropy, "cross entropy of the NELBO")
    return terms


def _prior_log_prob(prior: Prior, z0: Tensor, indices: list[int], settings: NelboConfig, seed: int) -> PriorLogProb:
    if settings.official_probes:
        return official_prior_log_prob(prior, z0, indices, settings, seed)
    if settings.takes_fixed_steps:
        return fixed_step_log_prob(prior, z0, indices, settings, seed)
    probes = draw_probes(indices, z0.shape[1:], settings.probe, settings.probe_count, seed)
    return prior_log_prob(prior, z0, probes, settings)


def _summarise(batches: list[NelboTerms], halving: Tensor | None, num_processes: int) -> NelboResult:
    reconstruction, negative_entropy, cross_entropy, total = (
        torch.cat([getattr(batch, name).cpu().double() for batch in batches])
        for name in ("reconstruction", "negative_entropy", "cross_entropy", "total")
    )
    return NelboResult(
        mean_nats=mean_over_processes(total, num_processes),
        stderr_nats=standard_error(total),
        reconstruction=mean_over_processes(reconstruction, num_processes),
        negative_entropy=mean_over_processes(negative_entropy, num_processes),
        cross_entropy=mean_over_processes(cross_entropy, num_processes),
        num_images=total.numel(),
        nfe_mean=sum(batch.nfe for batch in batches) / len(batches),
        per_image=total,
        errors=_errors(batches, halving),
    )


def _errors(batches: list[NelboTerms], halving: Tensor | None) -> SolveErrors | None:
    if all(batch.nfe == 0 for batch in batches):
        return None
    return solve_errors(torch.cat([batch.probe_variance for batch in batches]), halving)
