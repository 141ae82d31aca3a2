"""The bound on -log p(z_0) of the time-discretised process (DDPM), for variance-preserving kernels.

-log p(z_0) <= KL(q(z_T|z_0) || N(0, I)) + sum over n = 1 .. T of L_n, with abar_n = 1 - sigma^2(n / T) and
z_n = sqrt(abar_n) z_0 + sqrt(1 - abar_n) eps. With s_n^2 the variance of the model's step and D latent dimensions,

    L_n = (error_n |eps - eps_theta(z_n, n / T)|^2 + D posterior_n) / (2 s_n^2) + D (constant_n + ln(s_n^2) / 2)

in expectation over eps. It is the likelihood of the ancestral sampler's model (before its clamp to [-3, 3]), whereas
the probability flow gives that of the ODE's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lsgm.config import ConfigError, SampleConfig
from lsgm.randomness import normal_rows, uniform_rows
from lsgm.sampling import Prior, StepTable, predict_noise, require_finite, state_dtype, step_table
from lsgm.sde import VariancePreservingSde

NOISE_PURPOSE = "discretised ELBO: noise"
STEP_PURPOSE = "discretised ELBO: steps"


@dataclass(frozen=True)
class ElboWeights:
    """Coefficients of L_n for the steps n = 1 .. T, each (T,), entry n - 1 for step n.

    Attributes:
        error: beta_n^2 / (alpha_n (1 - abar_n)).
        posterior: variance of q(z_{n-1}|z_n, z_0); 0 for step 1, which is a likelihood and no divergence.
        constant: -(1 + ln posterior_n) / 2; ln(2 pi) / 2 for step 1.
    """

    error: Tensor
    posterior: Tensor
    constant: Tensor


def elbo_weights(table: StepTable) -> ElboWeights:
    """Coefficients of the bound, from the constants of the discretised process.

    Source: Ho et al. (2020) Eqs. (5) to (8); method.md: Likelihood.
    """
    error = table.beta**2 / ((1 - table.beta) * table.variance)
    posterior = table.posterior_variance.clone()
    constant = -0.5 * (1 + posterior.log())
    posterior[0], constant[0] = 0.0, 0.5 * math.log(2 * math.pi)
    return ElboWeights(error, posterior, constant)


@torch.no_grad()
def discretised_elbo(
    prior: Prior,
    latent: Tensor,
    indices: Sequence[int],
    config: SampleConfig,
    seed: int,
    num_steps_per_image: int | None = None,
) -> Tensor:
    """Estimate the bound on -log p(z_0), unbiased.

    Args:
        prior: noise predictor with a variance-preserving SDE, in evaluation mode.
        latent: z_0, (B, C, r, r).
        indices: index of each image in its data set, which keys its draws: the estimate is the same at any batch size.
        config: `num_steps` (T) and `step_variance` are used. With beta_post the first step's noise is far too small,
            and the bound is loose.
        seed: of the draws.
        num_steps_per_image: network evaluations for each image, at steps drawn for it; None: every step once.

    Returns:
        (B,), nats, in solver precision.

    Raises:
        ConfigError: the SDE is not variance preserving.
        ValueError: fewer than one evaluation.
        NumericalError: the estimate is not finite.

    Source: Ho et al. (2020) Eq. (5); method.md: Likelihood.
    """
    if not isinstance(prior.sde, VariancePreservingSde):
        raise ConfigError(
            f"the discretised ELBO needs a variance-preserving SDE, not {type(prior.sde).__name__}; take sde.type = "
            f"vpsde or geometric, or the NELBO of the ODE"
        )
    if num_steps_per_image is not None and num_steps_per_image < 1:
        raise ValueError(f"each image needs at least one step, not {num_steps_per_image}")
    table = step_table(prior.sde, config.num_steps, config.step_variance)
    weights = elbo_weights(table)
    start = latent.to(state_dtype(latent.device))
    known = 0.5 * weights.posterior / table.noise_variance + weights.constant + 0.5 * table.noise_variance.log()
    bound = _end_divergence(start, float(table.variance[-1])) + start[0].numel() * float(known.sum())
    factor = 0.5 * weights.error / table.noise_variance
    for draw, (steps, probability) in enumerate(_steps(factor, table, indices, seed, num_steps_per_image)):
        noise = normal_rows(indices, start.shape[1:], seed, NOISE_PURPOSE, draw).to(start)
        bound += (factor[steps] / probability).to(start) * _squared_error(prior, start, noise, steps, table)
    require_finite(bound, "discretised ELBO")
    return bound


def _steps(
    factor: Tensor, table: StepTable, indices: Sequence[int], seed: int, num_draws: int | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Steps n - 1 of each image, (B,), and how often each is expected among the draws; one pair for each draw.

    A step is drawn in proportion to what it contributes for standard normal latents, whose squared error is
    D (1 - sigma^2). The draws are systematic samples: equidistant in the cumulated shares, with one shift per image.
    """
    if num_draws is None:
        for step in range(len(factor)):
            yield torch.full((len(indices),), step), torch.ones(len(indices), dtype=factor.dtype)
        return
    shares = factor * (1 - table.variance)
    shares = shares / shares.sum()
    edges = shares.cumsum(dim=0)
    shift = uniform_rows(indices, (), seed, STEP_PURPOSE).to(edges)
    for draw in range(num_draws):
        steps = torch.searchsorted(edges, (draw + shift) / num_draws, right=True).clamp(max=len(edges) - 1)
        yield steps, num_draws * shares[steps]


def _squared_error(prior: Prior, start: Tensor, noise: Tensor, steps: Tensor, table: StepTable) -> Tensor:
    """|eps - eps_theta|^2 of each image at its own step, (B,)."""
    variance = table.variance[steps].to(start)[:, None, None, None]
    time = ((steps + 1) / len(table.variance)).to(start)
    prediction = predict_noise(prior, (1 - variance).sqrt() * start + variance.sqrt() * noise, time).to(start.dtype)
    return (noise - prediction).square().flatten(1).sum(dim=1)


def _end_divergence(start: Tensor, variance: float) -> Tensor:
    """KL(N(sqrt(abar_T) z_0, (1 - abar_T) I) || N(0, I)), (B,), with 1 - abar_T = `variance`."""
    dimensions = start[0].numel()
    square = start.square().flatten(1).sum(dim=1)
    return 0.5 * ((1 - variance) * square - dimensions * (1 - variance + math.log(variance)))
