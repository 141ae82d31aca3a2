"""Gradients of the joint stage: the paper's algorithms 1 to 3, and the prior alone (LSGM App. D; method 7.1, 7.2).

L_q is the VAE's loss and L_p the prior's. Whatever the algorithm, all gradients are taken at the same parameter values,
before either network is updated, and each with respect to one network only: what L_q says about the prior is discarded
(except in algorithm 1, where L_p is a part of it), and L_p never reaches the VAE.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

from lsgm.diffusion import prior_loss

from .draws import Diffusion, Draws
from .gradients import StepGradients, collect_terms, gradients_of
from .objective import KlWeights, Nelbo
from .problem import JointProblem

__all__ = ["JointProblem", "prior_only", "reweighted", "separate_disjoint", "separate_joint", "single_loss"]

# Below it the gradient of L_p, divided out of that of kappa L_p, would have lost digits in half precision.
SMALLEST_DIVISOR = 0.1


def single_loss(problem: JointProblem, x: Tensor, draws: Draws, weights: KlWeights) -> StepGradients:
    """Algorithm 1: w_ll for both and one batch of times, so that one backward pass serves both networks.

    The pass goes through L_q + kappa lambda_sgm R_sgm, whose gradient with respect to theta is kappa times that of
    L_p. Where this cannot be divided out (small kappa, or KL balancing with a factor for each group) there are two
    passes. The authors do not divide: with `problem.official_kappa` theta follows L_q + lambda_sgm R_sgm as it is.

    Args:
        problem: the networks.
        x: (B, C, H, W), images in [-1, 1].
        draws: random numbers of the step.
        weights: how KL terms enter L_q.

    Source: LSGM App. D, algorithm 1; method 7.1 and 13 (item 4).
    """
    output, z0 = problem.encode(x, draws.posterior)
    squared_error = problem.squared_error(z0, draws.prior)
    bound = problem.bound(output, x, squared_error, draws.prior)
    if problem.official_kappa:
        return _one_loss(problem, bound, weights, None)
    loss_prior = prior_loss(squared_error, draws.prior.times.prior_weight).mean()
    if weights.balances or weights.kappa < SMALLEST_DIVISOR:
        return _two_losses(problem, bound, weights, loss_prior)
    return _one_loss(problem, bound, weights, loss_prior)


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
    return _result(bound, (vae, prior), (loss_vae, loss_prior), (regulariser_vae, regulariser_prior))


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


def _one_loss(problem: JointProblem, bound: Nelbo, weights: KlWeights, loss_prior: Tensor | None) -> StepGradients:
    """Both gradients by one pass through L_q; without `loss_prior`, kappa is left in the prior's as the authors do."""
    regulariser_vae, regulariser_prior = problem.vae_regulariser(), problem.prior_regulariser()
    loss_vae = _sum(bound.vae_loss(weights), regulariser_vae)
    if loss_prior is None:
        loss = loss_vae = _sum(loss_vae, regulariser_prior)
    else:
        loss = loss_vae if regulariser_prior is None else loss_vae + weights.kappa * regulariser_prior
        loss_prior = _sum(loss_prior, regulariser_prior)
    gradients = gradients_of(loss, problem.vae_parameters + problem.prior_parameters, problem.precision)
    vae, prior = gradients[: len(problem.vae_parameters)], gradients[len(problem.vae_parameters) :]
    if loss_prior is not None and weights.kappa != 1:
        prior = torch._foreach_div(prior, weights.kappa)
    return _result(bound, (vae, tuple(prior)), (loss_vae, loss_prior), (regulariser_vae, regulariser_prior))


def _two_losses(problem: JointProblem, bound: Nelbo, weights: KlWeights, loss_prior: Tensor) -> StepGradients:
    """Gradients of L_q and L_p that share a graph, each with respect to its own network."""
    regulariser_vae, regulariser_prior = problem.vae_regulariser(), problem.prior_regulariser()
    loss_prior = _sum(loss_prior, regulariser_prior)
    loss_vae = _sum(bound.vae_loss(weights), regulariser_vae)
    prior = gradients_of(loss_prior, problem.prior_parameters, problem.precision, keep_graph=True)
    vae = gradients_of(loss_vae, problem.vae_parameters, problem.precision)
    return _result(bound, (vae, prior), (loss_vae, loss_prior), (regulariser_vae, regulariser_prior))


def _result(
    bound: Nelbo,
    gradients: tuple[tuple[Tensor, ...], tuple[Tensor, ...]],
    losses: tuple[Tensor, Tensor | None],
    regularisers: tuple[Tensor | None, Tensor | None],
) -> StepGradients:
    """The step's outcome; every pair is the VAE's and the prior's."""
    names = ("loss_vae", "loss_prior", "regulariser_vae", "regulariser_prior")
    scalars = dict(zip(names, (*losses, *regularisers), strict=True))
    return StepGradients(*gradients, collect_terms(bound, **scalars))


def _sum(loss: Tensor, *regularisers: Tensor | None) -> Tensor:
    for regulariser in regularisers:
        if regulariser is not None:
            loss = loss + regulariser
    return loss
