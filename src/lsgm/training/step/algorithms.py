"""Gradients of the joint stage: the paper's algorithms 1 to 3, and the prior alone (LSGM App. D; method 7.1, 7.2).

L_q is the VAE's loss and L_p the prior's. Whatever the algorithm, all gradients are taken at the same parameter values,
before either network is updated, and each with respect to one network only: what L_q says about the prior is discarded
(except in algorithm 1 as published), and L_p never reaches the VAE.

What would be discarded is not computed. Algorithms 1 and 3 take one backward pass through both networks, by
`reweighting`; algorithm 2 has two passes of the prior, of which L_q's leaves out the gradients of the prior's weights,
and L_p's ends at the prior's input. `bench.naive` has the same gradients the long way.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import Tensor

from lsgm.diffusion import prior_loss

from .draws import Diffusion, Draws
from .gradients import StepGradients, collect_terms, gradients_of, step_gradients, with_regularisers
from .objective import KlWeights
from .problem import JointProblem
from .reweighting import reweighted_gradient, vae_over_prior

__all__ = ["JointProblem", "prior_only", "reweighted", "separate_disjoint", "separate_joint", "single_loss"]


def single_loss(problem: JointProblem, x: Tensor, draws: Draws, weights: KlWeights) -> StepGradients:
    """Algorithm 1: w_ll for both and one batch of times, so that lambda_q = lambda_p.

    The prior follows L_p whatever kappa. The authors' follows L_q + lambda_sgm R_sgm, of which L_p is a part with the
    factor kappa: so it does with `problem.official_kappa`.

    Args:
        problem: the networks.
        x: (B, C, H, W), images in [-1, 1].
        draws: random numbers of the step.
        weights: how KL terms enter L_q.

    Source: LSGM App. D, algorithm 1; method 7.1 and 13 (item 4).
    """
    if problem.official_kappa:
        return _official_loss(problem, x, draws, weights)
    if weights.balances:
        return _two_passes(problem, x, draws, weights)
    return _one_pass(problem, x, draws, weights, torch.ones_like(draws.prior.times.time))


def separate_joint(problem: JointProblem, x: Tensor, draws: Draws, weights: KlWeights) -> StepGradients:
    """Algorithm 2, joint: two batches of times with one shared noise; arguments as in `single_loss`.

    The published code joins both halves for one pass of the prior. Then each backward pass goes through the zeros of
    the other half; two passes of half the size cost less, and only dropout's masks are others.

    Source: LSGM App. D, algorithm 2.
    """
    return separate_disjoint(problem, x, replace(draws, vae=replace(draws.vae, noise=draws.prior.noise)), weights)


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
        loss_vae = with_regularisers(bound.vae_loss(weights), regulariser_vae)
        vae = gradients_of(loss_vae, problem.vae_parameters, problem.precision)
    loss, regulariser_prior = _prior_loss(problem, problem.squared_error(z0.detach(), draws.prior), draws.prior)
    prior = gradients_of(loss, problem.prior_parameters, problem.precision)
    return step_gradients(bound, (vae, prior), (loss_vae, loss), (regulariser_vae, regulariser_prior))


def reweighted(problem: JointProblem, x: Tensor, draws: Draws, weights: KlWeights) -> StepGradients:
    """Algorithm 3: one batch of times for the prior's objective; L_q reweights its squared errors to w_ll.

    Arguments as in `single_loss`.

    Source: LSGM App. D, algorithm 3.
    """
    # In float16 a sample with a small lambda_p loses digits to underflow, which a large factor would then magnify.
    if weights.balances or problem.precision.dtype == torch.float16:
        return _two_passes(problem, x, draws, weights)
    return _one_pass(problem, x, draws, weights, vae_over_prior(draws.prior.times))


def prior_only(problem: JointProblem, x: Tensor, draws: Draws, weights: KlWeights) -> StepGradients:
    """Only L_p, on a frozen VAE; arguments as in `single_loss`, `weights` without effect."""
    with torch.no_grad():
        output, z0 = problem.encode(x, draws.posterior)
    squared_error = problem.squared_error(z0, draws.prior)
    loss, regulariser = _prior_loss(problem, squared_error, draws.prior)
    prior = gradients_of(loss, problem.prior_parameters, problem.precision)
    with torch.no_grad():
        bound = problem.bound(output, x, squared_error, draws.prior)
    return StepGradients(None, prior, collect_terms(bound, loss_prior=loss, regulariser_prior=regulariser))


def _one_pass(problem: JointProblem, x: Tensor, draws: Draws, weights: KlWeights, ratio: Tensor) -> StepGradients:
    """One batch of times for both losses, and one backward pass.

    L_q's share of the squared errors reaches the VAE as L_p's gradient with respect to the latents, reweighted; so the
    bound itself, whose value it is a part of, is taken of errors without gradient.

    Args:
        problem: the networks.
        x: (B, C, H, W), images.
        draws: random numbers of the step.
        weights: of the KL terms, the same for all groups.
        ratio: lambda_q / lambda_p, (B,).
    """
    output, z0 = problem.encode(x, draws.posterior)
    squared_error = problem.squared_error(reweighted_gradient(z0, weights.kappa * ratio), draws.prior)
    loss_prior, regulariser_prior = _prior_loss(problem, squared_error, draws.prior)
    bound = problem.bound(output, x, squared_error.detach(), draws.prior)
    regulariser_vae = problem.vae_regulariser()
    loss_vae = with_regularisers(bound.vae_loss(weights), regulariser_vae)
    parameters = problem.vae_parameters + problem.prior_parameters
    gradients = gradients_of(loss_vae + loss_prior, parameters, problem.precision)
    vae, prior = gradients[: len(problem.vae_parameters)], gradients[len(problem.vae_parameters) :]
    return step_gradients(bound, (vae, prior), (loss_vae, loss_prior), (regulariser_vae, regulariser_prior))


def _two_passes(problem: JointProblem, x: Tensor, draws: Draws, weights: KlWeights) -> StepGradients:
    """One batch of times for both losses where no factor for each sample turns one's gradient into the other's.

    Losses share one forward pass; each is differentiated with respect to its own network.
    """
    output, z0 = problem.encode(x, draws.posterior)
    squared_error = problem.squared_error(z0, draws.prior)
    bound = problem.bound(output, x, squared_error, draws.prior)
    loss_prior, regulariser_prior = _prior_loss(problem, squared_error, draws.prior)
    regulariser_vae = problem.vae_regulariser()
    loss_vae = with_regularisers(bound.vae_loss(weights), regulariser_vae)
    prior = gradients_of(loss_prior, problem.prior_parameters, problem.precision, keep_graph=True)
    vae = gradients_of(loss_vae, problem.vae_parameters, problem.precision)
    return step_gradients(bound, (vae, prior), (loss_vae, loss_prior), (regulariser_vae, regulariser_prior))


def _official_loss(problem: JointProblem, x: Tensor, draws: Draws, weights: KlWeights) -> StepGradients:
    """The published algorithm 1: both networks follow L_q and both regularisers, and L_p is not reported."""
    output, z0 = problem.encode(x, draws.posterior)
    bound = problem.bound(output, x, problem.squared_error(z0, draws.prior), draws.prior)
    regularisers = problem.vae_regulariser(), problem.prior_regulariser()
    loss = with_regularisers(bound.vae_loss(weights), *regularisers)
    gradients = gradients_of(loss, problem.vae_parameters + problem.prior_parameters, problem.precision)
    vae, prior = gradients[: len(problem.vae_parameters)], gradients[len(problem.vae_parameters) :]
    return step_gradients(bound, (vae, prior), (loss, None), regularisers)


def _prior_loss(problem: JointProblem, squared_error: Tensor, diffusion: Diffusion) -> tuple[Tensor, Tensor | None]:
    """L_p and the regulariser that is a part of it, if there is one."""
    regulariser = problem.prior_regulariser()
    return with_regularisers(prior_loss(squared_error, diffusion.times.prior_weight).mean(), regulariser), regulariser
