"""Gradients of the joint stage: the paper's algorithms 1 to 3, and the prior alone (LSGM App. D).

L_q is the VAE's loss and L_p the prior's. All gradients of a step are taken at the same parameter values, before either
network is updated, each with respect to one network only: L_q never reaches the prior's weights (except in algorithm 1
as published), and L_p never reaches the VAE.

**One backward pass for algorithms 1 and 3.** With SE_b = ‖ε − ε_θ(z_t, t)‖² of sample b,

    L_p = mean_b λ_p,b SE_b,   L_q = ... + kl_coeff · mean_b λ_q,b SE_b.

The score network has no interaction between samples, so z_b enters SE_b only, and exactly

    dL_q/dz_b = ... + kl_coeff · λ_q,b / λ_p,b · dL_p/dz_b.

The backward pass of L_p gives the prior's own gradient, and on its way into the VAE it is reweighted sample by sample.
Algorithm 2 has two passes of the prior: L_q's leaves out the gradients of the prior's weights, and L_p's ends at the
prior's input. What would be discarded is never computed; `bench` has the same gradients the long way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import Parameter

from lsgm.objective import KlWeights, Nelbo, cross_entropy, denoising_error, nelbo, prior_loss
from lsgm.time_sampling import TimeSample

if TYPE_CHECKING:
    from lsgm.models import Lsgm, VaeOutput
    from lsgm.training.noise import BatchNoise, DiffusionNoise
    from lsgm.training.optim import Ema
    from lsgm.training.stage import Precision

Gradients = tuple[Tensor, ...]


@dataclass(frozen=True)
class Terms:
    """Losses and their parts in one step, without gradient.

    Attributes:
        scalars: 0-d tensors by name; the losses are those that gradients were taken of, regularisers included.
        nelbo: the bound by parts, with a KL coefficient of 1.
    """

    scalars: dict[str, Tensor]
    nelbo: Nelbo

    @property
    def losses(self) -> dict[str, Tensor]:
        """The scalars that must be finite for an update."""
        return {name: value for name, value in self.scalars.items() if name.startswith("loss")}


@dataclass(frozen=True)
class StepGradients:
    """Gradients at one and the same parameter values, multiplied by the loss scale of the precision.

    Attributes:
        vae: of L_q with respect to the VAE's parameters, in their order; None if the VAE is frozen.
        prior: of the prior's loss with respect to its parameters; None in pretraining.
        terms: the losses.
    """

    vae: Gradients | None
    prior: Gradients | None
    terms: Terms


@dataclass(frozen=True)
class JointProblem:
    """What the algorithms act on.

    Attributes:
        model: VAE and prior.
        vae_parameters: φ and ψ, in a fixed order.
        prior_parameters: θ.
        vae_regulariser: λ_vae R_vae.
        prior_regulariser: λ_prior R_prior.
        precision: type of the networks' arithmetic.
        ema: average of θ, for the algorithm that lets the VAE see it; else None.
        official_kl_coeff: parity switch, algorithm 1 only: the KL coefficient multiplies the prior's loss as well.
    """

    model: Lsgm
    vae_parameters: list[Parameter]
    prior_parameters: list[Parameter]
    vae_regulariser: Callable[[], Tensor | None]
    prior_regulariser: Callable[[], Tensor | None]
    precision: Precision
    ema: Ema | None = None
    official_kl_coeff: bool = False

    def regularised(self, times: float) -> JointProblem:
        """The same problem, in which the regularisers count `times` times."""
        vae, prior = (counted(each, times) for each in (self.vae_regulariser, self.prior_regulariser))
        return replace(self, vae_regulariser=vae, prior_regulariser=prior)

    def encode(self, x: Tensor, noises: list[Tensor]) -> tuple[VaeOutput, Tensor]:
        """Return the VAE's output and the prior's latent z_0."""
        with self.precision.autocast():
            output = self.model.vae(x, noises)
        return output, self.model.vae.join(output.latents)

    def squared_error(self, z0: Tensor, diffusion: DiffusionNoise) -> Tensor:
        """(ε − ε_θ)² elementwise at the diffused z_0."""
        return denoising_error(self.model.prior.sde, self._predict, z0, diffusion.noise, diffusion.times.time)

    def bound(self, output: VaeOutput, x: Tensor, squared_error: Tensor, diffusion: DiffusionNoise) -> Nelbo:
        """The NELBO whose cross entropy is estimated from `squared_error` with the weights λ_q."""
        estimate = cross_entropy(self.model.prior.sde, squared_error, diffusion.times.vae_weight)
        return nelbo(self.model.vae, output, x, estimate)

    def vae_loss(self, bound: Nelbo, weights: KlWeights) -> tuple[Tensor, Tensor | None]:
        """L_q and the regulariser that is a part of it, if there is one."""
        regulariser = self.vae_regulariser()
        return with_regularisers(bound.vae_loss(weights), regulariser), regulariser

    def prior_loss(self, squared_error: Tensor, diffusion: DiffusionNoise) -> tuple[Tensor, Tensor | None]:
        """L_p and the regulariser that is a part of it, if there is one."""
        regulariser = self.prior_regulariser()
        return with_regularisers(prior_loss(squared_error, diffusion.times.prior_weight), regulariser), regulariser

    def _predict(self, z: Tensor, time: Tensor) -> Tensor:
        with self.precision.autocast():
            return self.model.prior(z, time)


def algorithm_1(problem: JointProblem, x: Tensor, noise: BatchNoise, weights: KlWeights) -> StepGradients:
    """w_ll for both losses and one batch of times, so that λ_q = λ_p.

    The prior follows L_p whatever the KL coefficient. The authors' follows L_q + λ R_prior, of which L_p is a part
    with the factor kl_coeff: so it does with `problem.official_kl_coeff`.

    Args:
        problem: the networks.
        x: (B, C, H, W), images in [-1, 1].
        noise: random numbers of the step.
        weights: how KL terms enter L_q.

    Source: LSGM App. D, algorithm 1.
    """
    if problem.official_kl_coeff:
        return _official_algorithm_1(problem, x, noise, weights)
    if weights.balances:
        return _two_backward_passes(problem, x, noise, weights)
    return _one_backward_pass(problem, x, noise, weights, torch.ones_like(noise.prior.times.time))


def algorithm_2_joint(problem: JointProblem, x: Tensor, noise: BatchNoise, weights: KlWeights) -> StepGradients:
    """Two batches of times with one shared noise; arguments as in `algorithm_1`.

    The published code joins both halves for one pass of the prior. Then each backward pass goes through the zeros of
    the other half; two passes of half the size cost less, and only dropout's masks are others.

    Source: LSGM App. D, algorithm 2.
    """
    shared = replace(noise, vae=replace(noise.vae, noise=noise.prior.noise))
    return algorithm_2_disjoint(problem, x, shared, weights)


def algorithm_2_disjoint(problem: JointProblem, x: Tensor, noise: BatchNoise, weights: KlWeights) -> StepGradients:
    """Two passes of the prior, each with its own times and noise; arguments as in `algorithm_1`.

    With `problem.ema` the VAE's pass sees the averaged prior. The second pass uses the latents of before the VAE's
    update, as the other algorithms do.

    Source: LSGM App. D, algorithm 2.
    """
    output, z0 = problem.encode(x, noise.posterior)
    # The gradient is taken inside: it needs the parameter values that the pass has seen.
    with nullcontext() if problem.ema is None else problem.ema.swapped_in():
        bound = problem.bound(output, x, problem.squared_error(z0, noise.vae), noise.vae)
        loss_vae, regulariser_vae = problem.vae_loss(bound, weights)
        vae = gradients_of(loss_vae, problem.vae_parameters, problem.precision)
    loss_prior, regulariser_prior = problem.prior_loss(problem.squared_error(z0.detach(), noise.prior), noise.prior)
    prior = gradients_of(loss_prior, problem.prior_parameters, problem.precision)
    return step_gradients(bound, (vae, prior), (loss_vae, loss_prior), (regulariser_vae, regulariser_prior))


def algorithm_3(problem: JointProblem, x: Tensor, noise: BatchNoise, weights: KlWeights) -> StepGradients:
    """One batch of times for the prior's objective; L_q reweights its squared errors to w_ll ("rew." in Table 6).

    Arguments as in `algorithm_1`.

    Source: LSGM App. D, algorithm 3.
    """
    # In float16 a sample with a small λ_p loses digits to underflow, which a large factor would then magnify.
    if weights.balances or problem.precision.dtype == torch.float16:
        return _two_backward_passes(problem, x, noise, weights)
    return _one_backward_pass(problem, x, noise, weights, vae_over_prior(noise.prior.times))


def prior_only(problem: JointProblem, x: Tensor, noise: BatchNoise, weights: KlWeights) -> StepGradients:
    """Only L_p, on a frozen VAE; arguments as in `algorithm_1`, `weights` without effect."""
    with torch.no_grad():
        output, z0 = problem.encode(x, noise.posterior)
    squared_error = problem.squared_error(z0, noise.prior)
    loss, regulariser = problem.prior_loss(squared_error, noise.prior)
    prior = gradients_of(loss, problem.prior_parameters, problem.precision)
    with torch.no_grad():
        bound = problem.bound(output, x, squared_error, noise.prior)
    return StepGradients(None, prior, collect_terms(bound, loss_prior=loss, regulariser_prior=regulariser))


def _one_backward_pass(
    problem: JointProblem, x: Tensor, noise: BatchNoise, weights: KlWeights, ratio: Tensor
) -> StepGradients:
    """One batch of times for both losses, and one backward pass through both networks; ratio is λ_q / λ_p, (B,).

    L_q's share of the squared errors reaches the VAE as L_p's reweighted gradient with respect to the latents; so the
    bound itself, whose value it is a part of, is taken of errors without gradient.
    """
    output, z0 = problem.encode(x, noise.posterior)
    squared_error = problem.squared_error(reweighted_gradient(z0, weights.kl_coeff * ratio), noise.prior)
    loss_prior, regulariser_prior = problem.prior_loss(squared_error, noise.prior)
    bound = problem.bound(output, x, squared_error.detach(), noise.prior)
    loss_vae, regulariser_vae = problem.vae_loss(bound, weights)
    gradients = _gradients_of_both(loss_vae + loss_prior, problem)
    return step_gradients(bound, gradients, (loss_vae, loss_prior), (regulariser_vae, regulariser_prior))


def _two_backward_passes(problem: JointProblem, x: Tensor, noise: BatchNoise, weights: KlWeights) -> StepGradients:
    """One batch of times for both losses where no factor for each sample turns one's gradient into the other's.

    Losses share one forward pass; each is differentiated with respect to its own network.
    """
    output, z0 = problem.encode(x, noise.posterior)
    squared_error = problem.squared_error(z0, noise.prior)
    bound = problem.bound(output, x, squared_error, noise.prior)
    loss_prior, regulariser_prior = problem.prior_loss(squared_error, noise.prior)
    loss_vae, regulariser_vae = problem.vae_loss(bound, weights)
    prior = gradients_of(loss_prior, problem.prior_parameters, problem.precision, keep_graph=True)
    vae = gradients_of(loss_vae, problem.vae_parameters, problem.precision)
    return step_gradients(bound, (vae, prior), (loss_vae, loss_prior), (regulariser_vae, regulariser_prior))


def _official_algorithm_1(problem: JointProblem, x: Tensor, noise: BatchNoise, weights: KlWeights) -> StepGradients:
    """The published algorithm 1: both networks follow L_q and both regularisers, and L_p is not reported."""
    output, z0 = problem.encode(x, noise.posterior)
    bound = problem.bound(output, x, problem.squared_error(z0, noise.prior), noise.prior)
    regularisers = problem.vae_regulariser(), problem.prior_regulariser()
    loss = with_regularisers(bound.vae_loss(weights), *regularisers)
    return step_gradients(bound, _gradients_of_both(loss, problem), (loss, None), regularisers)


def vae_over_prior(times: TimeSample) -> Tensor:
    """λ_q / λ_p of every sample, (B,).

    It is 0 where λ_q is, whatever λ_p; infinite where only λ_p is 0, for then L_p knows nothing of what L_q asks for.
    The gradient is then not finite, and the step not taken.
    """
    weight = times.vae_weight
    return torch.where(weight == 0, weight, weight / times.prior_weight)


def reweighted_gradient(latent: Tensor, factor: Tensor) -> Tensor:
    """Return `latent`, (B, ...), as it is; its gradient is multiplied by `factor`, (B,) or 0-d, on the way back."""
    return _ReweightedGradient.apply(latent, factor.reshape(-1, *(1,) * (latent.ndim - 1)))


class _ReweightedGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, latent: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return latent.view_as(latent)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        (factor,) = ctx.saved_tensors
        return factor * gradient, None


def gradients_of(
    loss: Tensor, parameters: Sequence[Tensor], precision: Precision, keep_graph: bool = False
) -> Gradients:
    """Gradient of a loss with respect to `parameters` and nothing else; zeros where it does not depend on one.

    Under `torch.no_grad()` there is none: an algorithm then gives its terms alone.
    """
    if not torch.is_grad_enabled():
        return ()
    return torch.autograd.grad(
        precision.scaled(loss), parameters, retain_graph=keep_graph, allow_unused=True, materialize_grads=True
    )


def _gradients_of_both(loss: Tensor, problem: JointProblem) -> tuple[Gradients, Gradients]:
    """Gradients of one loss with respect to the VAE's and the prior's parameters."""
    gradients = gradients_of(loss, problem.vae_parameters + problem.prior_parameters, problem.precision)
    return gradients[: len(problem.vae_parameters)], gradients[len(problem.vae_parameters) :]


def counted(regulariser: Callable[[], Tensor | None], times: float) -> Callable[[], Tensor | None]:
    """Let a regulariser count `times` times; it is not even called for 0 times."""
    if times == 1:
        return regulariser

    def value() -> Tensor | None:
        once = regulariser() if times else None
        return None if once is None else times * once

    return value


def with_regularisers(loss: Tensor, *regularisers: Tensor | None) -> Tensor:
    """Add the regularisers that there are to a loss."""
    for regulariser in regularisers:
        if regulariser is not None:
            loss = loss + regulariser
    return loss


def collect_terms(bound: Nelbo, **scalars: Tensor | None) -> Terms:
    """Detach everything and add the means of the bound's parts; scalars that are None are left out."""
    bound = bound.detach()
    reconstruction, kl = bound.reconstruction.mean(), bound.kl.mean(dim=0).sum()
    means = {"nelbo": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
    given = {name: value.detach() for name, value in scalars.items() if value is not None}
    return Terms(given | means, bound)


def step_gradients(
    bound: Nelbo,
    gradients: tuple[Gradients, Gradients],
    losses: tuple[Tensor, Tensor | None],
    regularisers: tuple[Tensor | None, Tensor | None],
) -> StepGradients:
    """Put the outcome of a joint step together; every pair is the VAE's and the prior's."""
    names = ("loss_vae", "loss_prior", "regulariser_vae", "regulariser_prior")
    scalars = dict(zip(names, (*losses, *regularisers), strict=True))
    return StepGradients(*gradients, collect_terms(bound, **scalars))
