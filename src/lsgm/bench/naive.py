"""The naive baseline of training steps, and the oracle of their gradients: the same mathematics, nothing saved.

The algorithms here give the same gradients as those of the package, function by function, so that one can stand in for
the other. But each of L_q and L_p is differentiated with respect to all parameters of both networks, of which one half
is then thrown away, as it is with `.backward()`; only the published algorithm 1 has a single loss and a
single pass. A naive step has an optimiser and an average that take one parameter after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import astuple
from functools import partial

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim.swa_utils import AveragedModel

from lsgm.algorithms import JointProblem, StepGradients, gradients_of, prior_only, step_gradients, with_regularisers
from lsgm.objective import KlWeights, Nelbo, prior_loss
from lsgm.time_sampling import TimeSample
from lsgm.training.joint import JointStage
from lsgm.training.noise import BatchNoise, DiffusionNoise
from lsgm.training.stage import Stage


def algorithm_1(problem: JointProblem, x: Tensor, draws: BatchNoise, weights: KlWeights) -> StepGradients:
    """Algorithm 1; with `problem.official_kl_coeff` one pass through L_q and both regularisers, else as algorithm 3."""
    if not problem.official_kl_coeff:
        return algorithm_3(problem, x, draws, weights)
    output, z0 = problem.encode(x, draws.posterior)
    bound = problem.bound(output, x, problem.squared_error(z0, draws.prior), draws.prior)
    regularisers = problem.vae_regulariser(), problem.prior_regulariser()
    loss = with_regularisers(bound.vae_loss(weights), *regularisers)
    return step_gradients(bound, _of_both_networks(problem, loss), (loss, None), regularisers)


def algorithm_3(problem: JointProblem, x: Tensor, draws: BatchNoise, weights: KlWeights) -> StepGradients:
    """Algorithm 3: one forward pass, L_q and L_p of the same squared errors."""
    output, z0 = problem.encode(x, draws.posterior)
    squared_error = problem.squared_error(z0, draws.prior)
    bound = problem.bound(output, x, squared_error, draws.prior)
    return _two_losses(problem, bound, weights, squared_error, draws.prior)


def algorithm_2_joint(problem: JointProblem, x: Tensor, draws: BatchNoise, weights: KlWeights) -> StepGradients:
    """Algorithm 2, joint: one forward pass of the prior over the halves of both losses, which share their noise."""
    output, z0 = problem.encode(x, draws.posterior)
    noise = draws.prior.noise
    pairs = zip(astuple(draws.prior.times), astuple(draws.vae.times), strict=True)
    both = DiffusionNoise(torch.cat([noise, noise]), TimeSample(*map(torch.cat, pairs)))
    for_prior, for_vae = problem.squared_error(torch.cat([z0.detach(), z0]), both).chunk(2)
    bound = problem.bound(output, x, for_vae, draws.vae)
    return _two_losses(problem, bound, weights, for_prior, draws.prior)


def algorithm_2_disjoint(problem: JointProblem, x: Tensor, draws: BatchNoise, weights: KlWeights) -> StepGradients:
    """Algorithm 2, disjoint: one loss after the other; with `problem.ema` L_q is of the averaged prior."""
    output, z0 = problem.encode(x, draws.posterior)
    with nullcontext() if problem.ema is None else problem.ema.swapped_in():
        bound = problem.bound(output, x, problem.squared_error(z0, draws.vae), draws.vae)
        regulariser_vae = problem.vae_regulariser()
        loss_vae = with_regularisers(bound.vae_loss(weights), regulariser_vae)
        vae, _ = _of_both_networks(problem, loss_vae)
    squared_error = problem.squared_error(z0.detach(), draws.prior)
    regulariser_prior = problem.prior_regulariser()
    loss_prior = with_regularisers(prior_loss(squared_error, draws.prior.times.prior_weight), regulariser_prior)
    _, prior = _of_both_networks(problem, loss_prior)
    return step_gradients(bound, (vae, prior), (loss_vae, loss_prior), (regulariser_vae, regulariser_prior))


def _two_losses(
    problem: JointProblem, bound: Nelbo, weights: KlWeights, squared_error: Tensor, diffusion: DiffusionNoise
) -> StepGradients:
    regularisers = problem.vae_regulariser(), problem.prior_regulariser()
    loss_vae = with_regularisers(bound.vae_loss(weights), regularisers[0])
    loss_prior = with_regularisers(prior_loss(squared_error, diffusion.times.prior_weight), regularisers[1])
    vae, _ = _of_both_networks(problem, loss_vae, keep_graph=True)
    _, prior = _of_both_networks(problem, loss_prior)
    return step_gradients(bound, (vae, prior), (loss_vae, loss_prior), regularisers)


def _of_both_networks(
    problem: JointProblem, loss: Tensor, keep_graph: bool = False
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """A loss differentiated with respect to everything: the VAE's and the prior's."""
    parameters = problem.vae_parameters + problem.prior_parameters
    gradients = gradients_of(loss, parameters, problem.precision, keep_graph)
    return gradients[: len(problem.vae_parameters)], gradients[len(problem.vae_parameters) :]


NAIVE = {
    algorithm.__name__: algorithm
    for algorithm in (prior_only, algorithm_1, algorithm_2_disjoint, algorithm_2_joint, algorithm_3)
}


def make_naive(stage: Stage, decay: float) -> None:
    """Let a stage with fresh weights take its steps naively: the algorithms above, and all parameter by parameter.

    Args:
        stage: either one.
        decay: of the average of the prior.
    """
    branches, average = stage.branches.values(), None
    for branch in branches:
        branch.release()
        branch.optimiser.param_groups.clear()
        branch.optimiser.add_param_group({"params": branch.parameters, "foreach": False, "fused": False})
        branch.take_gradients = partial(_give, branch.parameters)
        # Else the flat tensors would count as memory of the naive step.
        for tensor in (branch.flat, branch.flat.grad):
            tensor.untyped_storage().resize_(0)
    if isinstance(stage, JointStage):
        stage._algorithm = NAIVE[stage._algorithm.__name__]
        prior = stage.model.prior
        average = AveragedModel(prior, avg_fn=lambda old, new, _count: decay * old + (1 - decay) * new)

    def after_update() -> None:
        for branch in branches:
            branch.optimiser.zero_grad()
        if average is not None:
            average.update_parameters(prior)

    stage.after_update = after_update


def _give(parameters: Sequence[Parameter], gradients: Sequence[Tensor], _scale: float) -> float:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    return 0.0
