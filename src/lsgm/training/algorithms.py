"""Gradients of the joint stage: the paper's algorithms 1 to 3, and the prior alone (LSGM App. D; method 7.1, 7.2).

L_q is the VAE's loss and L_p the prior's. Whatever the algorithm, all gradients are taken at the same parameter values,
before either network is updated, and each with respect to one network only: what L_q says about the prior is discarded
(except in algorithm 1, where it is the prior's loss), and L_p never reaches the VAE.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter

from lsgm.diffusion import cross_entropy_terms, denoising_error, prior_loss
from lsgm.models import Lsgm
from lsgm.models.nvae import VaeOutput

from .draws import Diffusion, Draws
from .ema import Ema
from .gradients import StepGradients, collect_terms, gradients_of
from .objective import KlWeights, Nelbo, nelbo
from .precision import Precision
from .regularisers import Regulariser


@dataclass(frozen=True)
class JointProblem:
    """What the algorithms act on.

    Attributes:
        model: VAE and prior.
        vae_parameters: phi and psi, in a fixed order.
        prior_parameters: theta.
        vae_regulariser: lambda_vae R_vae.
        prior_regulariser: lambda_sgm R_sgm.
        precision: type of the networks' arithmetic.
        ema: average of theta, for the algorithm that lets the VAE see it; else None.
    """

    model: Lsgm
    vae_parameters: list[Parameter]
    prior_parameters: list[Parameter]
    vae_regulariser: Regulariser
    prior_regulariser: Regulariser
    precision: Precision
    ema: Ema | None = None

    def encode(self, x: Tensor, noises: list[Tensor]) -> tuple[VaeOutput, Tensor]:
        """Return the VAE's output and the prior's latent z0."""
        with self.precision.autocast():
            output = self.model.vae(x, noises)
        return output, self.model.vae.join(output.latents)

    def squared_error(self, z0: Tensor, diffusion: Diffusion) -> Tensor:
        """(eps - eps_theta)^2 elementwise at the diffused z0."""
        return denoising_error(self.model.prior.sde, self._predict, z0, diffusion.noise, diffusion.times)

    def bound(self, output: VaeOutput, x: Tensor, squared_error: Tensor, diffusion: Diffusion) -> Nelbo:
        """The NELBO whose cross entropy is estimated from `squared_error` with the weights lambda_q."""
        weight = diffusion.times.vae_weight
        return nelbo(self.model.vae, output, x, cross_entropy_terms(self.model.prior.sde, squared_error, weight))

    def _predict(self, z: Tensor, time: Tensor) -> Tensor:
        with self.precision.autocast():
            return self.model.prior(z, time)


def single_loss(problem: JointProblem, x: Tensor, draws: Draws, weights: KlWeights) -> StepGradients:
    """Algorithm 1: w_ll for both, one batch of times, one loss L_q + lambda_sgm R_sgm, one backward pass.

    The prior's cross entropy is thus multiplied by kappa, as in the authors' runs; Adam does not notice the scale.

    Args:
        problem: the networks.
        x: (B, C, H, W), images in [-1, 1].
        draws: random numbers of the step.
        weights: how KL terms enter L_q.

    Source: LSGM App. D, algorithm 1.
    """
    output, z0 = problem.encode(x, draws.posterior)
    bound = problem.bound(output, x, problem.squared_error(z0, draws.prior), draws.prior)
    vae_regulariser, prior_regulariser = problem.vae_regulariser(), problem.prior_regulariser()
    loss = _sum(bound.vae_loss(weights), vae_regulariser, prior_regulariser)
    gradients = gradients_of(loss, problem.vae_parameters + problem.prior_parameters, problem.precision)
    split = len(problem.vae_parameters)
    terms = collect_terms(bound, loss_vae=loss, regulariser_vae=vae_regulariser, regulariser_prior=prior_regulariser)
    return StepGradients(gradients[:split], gradients[split:], terms)


def separate_joint(problem: JointProblem, x: Tensor, draws: Draws, weights: KlWeights) -> StepGradients:
    """Algorithm 2, joint: two batches of times with one shared noise, both halves in one pass of the prior.

    Arguments as in `single_loss`.

    Source: LSGM App. D, algorithm 2.
    """
    output, z0 = problem.encode(x, draws.posterior)
    noise = draws.prior.noise
    both = Diffusion(torch.cat([noise, noise]), draws.prior.times.join(draws.vae.times))
    for_prior, for_vae = problem.squared_error(torch.cat([z0.detach(), z0]), both).chunk(2)
    bound = problem.bound(output, x, for_vae, draws.vae)
    return _two_losses(problem, bound, weights, prior_loss(for_prior, draws.prior.times.prior_weight).mean())


def separate_disjoint(problem: JointProblem, x: Tensor, draws: Draws, weights: KlWeights) -> StepGradients:
    """Algorithm 2, disjoint: two passes of the prior, each with its own noise; arguments as in `single_loss`.

    With `problem.ema` the VAE's pass sees the averaged prior. The second pass uses the latents of before the VAE's
    update, as the other algorithms do.

    Source: LSGM App. D, algorithm 2.
    """
    output, z0 = problem.encode(x, draws.posterior)
    # The gradient is taken inside: it needs the parameter values that the pass has seen.
    with nullcontext() if problem.ema is None else problem.ema.swapped_in():
        bound = problem.bound(output, x, problem.squared_error(z0, draws.vae), draws.vae)
        regulariser_vae = problem.vae_regulariser()
        loss_vae = _sum(bound.vae_loss(weights), regulariser_vae)
        vae = gradients_of(loss_vae, problem.vae_parameters, problem.precision)
    squared_error = problem.squared_error(z0.detach(), draws.prior)
    regulariser_prior = problem.prior_regulariser()
    loss_prior = _sum(prior_loss(squared_error, draws.prior.times.prior_weight).mean(), regulariser_prior)
    prior = gradients_of(loss_prior, problem.prior_parameters, problem.precision)
    terms = collect_terms(
        bound,
        loss_vae=loss_vae,
        loss_prior=loss_prior,
        regulariser_vae=regulariser_vae,
        regulariser_prior=regulariser_prior,
    )
    return StepGradients(vae, prior, terms)


def reweighted(problem: JointProblem, x: Tensor, draws: Draws, weights: KlWeights) -> StepGradients:
    """Algorithm 3: one batch of times for the prior's objective; L_q reweights its squared errors to w_ll.

    Arguments as in `single_loss`.

    Source: LSGM App. D, algorithm 3.
    """
    output, z0 = problem.encode(x, draws.posterior)
    squared_error = problem.squared_error(z0, draws.prior)
    bound = problem.bound(output, x, squared_error, draws.prior)
    return _two_losses(problem, bound, weights, prior_loss(squared_error, draws.prior.times.prior_weight).mean())


def prior_only(problem: JointProblem, x: Tensor, draws: Draws, weights: KlWeights) -> StepGradients:
    """Only L_p, on a frozen VAE; arguments as in `single_loss`, `weights` without effect."""
    with torch.no_grad():
        output, z0 = problem.encode(x, draws.posterior)
    squared_error = problem.squared_error(z0, draws.prior)
    regulariser = problem.prior_regulariser()
    loss = _sum(prior_loss(squared_error, draws.prior.times.prior_weight).mean(), regulariser)
    prior = gradients_of(loss, problem.prior_parameters, problem.precision)
    with torch.no_grad():
        bound = problem.bound(output, x, squared_error, draws.prior)
    return StepGradients(None, prior, collect_terms(bound, loss_prior=loss, regulariser_prior=regulariser))


def _two_losses(problem: JointProblem, bound: Nelbo, weights: KlWeights, loss_prior: Tensor) -> StepGradients:
    """Gradients of L_q and L_p that share a graph, each with respect to its own network."""
    regulariser_vae, regulariser_prior = problem.vae_regulariser(), problem.prior_regulariser()
    loss_prior = _sum(loss_prior, regulariser_prior)
    loss_vae = _sum(bound.vae_loss(weights), regulariser_vae)
    prior = gradients_of(loss_prior, problem.prior_parameters, problem.precision, keep_graph=True)
    vae = gradients_of(loss_vae, problem.vae_parameters, problem.precision)
    terms = collect_terms(
        bound,
        loss_vae=loss_vae,
        loss_prior=loss_prior,
        regulariser_vae=regulariser_vae,
        regulariser_prior=regulariser_prior,
    )
    return StepGradients(vae, prior, terms)


def _sum(loss: Tensor, *regularisers: Tensor | None) -> Tensor:
    for regulariser in regularisers:
        if regulariser is not None:
            loss = loss + regulariser
    return loss
