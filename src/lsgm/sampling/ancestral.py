"""Ancestral sampling of the time-discretised process (DDPM; method 10), exact for variance-preserving kernels.

With abar_n = 1 - sigma^2(n / T) and beta_n = 1 - abar_n / abar_{n-1}, n = T .. 1:
z_{n-1} = (z_n - beta_n eps_theta / sqrt(1 - abar_n)) / sqrt(1 - beta_n) + s_n * temperature * noise; at n = 1 the
latent is denoised at once, (z_1 - sqrt(1 - abar_1) eps_theta) / sqrt(abar_1). The result is clamped to [-3, 3].
The authors' code takes the same steps with any SDE: a parity switch does so too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lsgm.config import ConfigError, SampleConfig
from lsgm.sde import Sde, VariancePreservingSde

from .base import Prior, PriorSamples, StepNoise, predict_noise, state_dtype
from .errors import SolverError

LATENT_LIMIT = 3.0


@dataclass(frozen=True)
class StepTable:
    """Constants of the steps n = 1 .. T, each (T,), entry n - 1 for step n.

    Attributes:
        variance: 1 - abar_n = sigma^2(n / T).
        beta: beta_n, with abar_0 = 1.
        posterior_variance: beta_n (1 - abar_{n-1}) / (1 - abar_n), the variance of q(z_{n-1}|z_n, z_0); that of step 1,
            which would be 0, is step 2's.
        noise_variance: s_n^2.
    """

    variance: Tensor
    beta: Tensor
    posterior_variance: Tensor
    noise_variance: Tensor


def step_table(sde: Sde, num_steps: int, step_variance: Literal["beta", "beta_post"]) -> StepTable:
    """Constants of the discretised process, float64.

    Args:
        sde: a process whose variance grows and stays below 1; only that of a variance-preserving one is discretised
            faithfully.
        num_steps: T.
        step_variance: s_n^2 = beta_n, or the posterior's variance.

    Raises:
        ConfigError: a beta_n would not be in (0, 1).

    Source: Ho et al. (2020) Eqs. (7) and (11); method 9.
    """
    time = torch.arange(1, num_steps + 1, dtype=torch.float64) / num_steps
    variance = sde.variance(time)
    before = torch.cat([torch.zeros(1, dtype=torch.float64), variance[:-1]])
    # 1 - abar_n / abar_{n-1}, written so that small betas keep their digits.
    beta = (variance - before) / (1 - before)
    if not bool(((beta > 0) & (beta < 1) & (variance < 1)).all()):
        raise ConfigError(
            f"sample.solver = ancestral needs a variance that grows from step to step and stays below 1, which that of "
            f"{type(sde).__name__} with sde.sigma2_0 = {sde.sigma2_0:g} does not; take sample.solver = ode"
        )
    posterior = beta * before / variance
    posterior[0] = posterior[1]
    return StepTable(variance, beta, posterior, beta if step_variance == "beta" else posterior)


@torch.no_grad()
def sample_ancestral(
    prior: Prior, noise: Tensor, config: SampleConfig, step_noise: StepNoise | None = None
) -> PriorSamples:
    """Draw from the prior in `config.num_steps` stochastic steps.

    Args:
        prior: noise predictor with a variance-preserving SDE; with `config.official_discretisation` of any other whose
            variance grows and stays below 1.
        noise: standard normals at t = 1, (B, C, r, r).
        config: `num_steps`, `step_variance` and `prior_temperature` are used.
        step_noise: standard normals (B, C, r, r) for step n = T .. 2.

    Raises:
        ConfigError: the SDE does not fit.
        ValueError: no `step_noise`.
        SolverError: a latent is not finite.

    Source: Ho et al. (2020) Algorithm 2; method 10; for the parity switch method 13, item 9.
    """
    if not (isinstance(prior.sde, VariancePreservingSde) or config.official_discretisation):
        raise ConfigError(
            f"sample.solver = ancestral needs a variance-preserving SDE, not {type(prior.sde).__name__}; "
            f"take sample.solver = ode"
        )
    if step_noise is None:
        raise ValueError("the ancestral sampler needs `step_noise`")
    table = step_table(prior.sde, config.num_steps, config.step_variance)
    latent = noise.to(state_dtype(noise.device)) * config.prior_temperature
    for n in range(config.num_steps, 0, -1):
        time = torch.tensor(n / config.num_steps, dtype=latent.dtype, device=latent.device)
        prediction = predict_noise(prior, latent, time).to(latent.dtype)
        if config.official_discretisation:
            prediction = prediction + _variance_preserving_mix(prior, latent, time)
        variance, beta = float(table.variance[n - 1]), float(table.beta[n - 1])
        if n == 1:
            latent = (latent - variance**0.5 * prediction) / (1 - variance) ** 0.5
        else:
            mean = (latent - beta / variance**0.5 * prediction) / (1 - beta) ** 0.5
            scale = config.prior_temperature * float(table.noise_variance[n - 1]) ** 0.5
            latent = mean + scale * step_noise(n).to(latent)
        if not bool(torch.isfinite(latent).all()):
            raise SolverError(n / config.num_steps, "non-finite latent")
    return PriorSamples(latent.clamp(-LATENT_LIMIT, LATENT_LIMIT), config.num_steps)


def _variance_preserving_mix(prior: Prior, latent: Tensor, time: Tensor) -> Tensor | float:
    """What to add to a mixed prediction so that its Normal part is sigma_t z_t, that of a variance-preserving SDE.

    It is sigma_t z_t / Var(z_t) by the SDE's own rule, hence the difference is (Var(z_t) - 1) times it.
    """
    coefficient = getattr(prior, "normal_coefficient", None)
    if coefficient is None:
        return 0.0
    return coefficient(time.expand(latent.shape[0])) * (prior.sde.normal_variance(time) - 1) * latent
