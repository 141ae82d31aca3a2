"""Ancestral sampling of the time-discretised process (DDPM; method 10), for variance-preserving kernels.

With abar_n = 1 - sigma^2(n / T) and beta_n = 1 - abar_n / abar_{n-1}, n = T .. 1:
z_{n-1} = (z_n - beta_n eps_theta / sqrt(1 - abar_n)) / sqrt(1 - beta_n) + s_n * temperature * noise; at n = 1 the
latent is denoised at once, (z_1 - sqrt(1 - abar_1) eps_theta) / sqrt(abar_1). The result is clamped to [-3, 3].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lsgm.config import ConfigError, SampleConfig
from lsgm.diffusion import VariancePreservingSde

from .base import Prior, PriorSamples, StepNoise, predict_noise, state_dtype
from .errors import SolverError

LATENT_LIMIT = 3.0


@dataclass(frozen=True)
class StepTable:
    """Constants of the steps n = 1 .. T, each (T,), entry n - 1 for step n.

    Attributes:
        variance: 1 - abar_n = sigma^2(n / T).
        beta: beta_n, with abar_0 = 1.
        noise_variance: s_n^2.
    """

    variance: Tensor
    beta: Tensor
    noise_variance: Tensor


def step_table(sde: VariancePreservingSde, num_steps: int, step_variance: Literal["beta", "beta_post"]) -> StepTable:
    """Constants of the discretised process, float64.

    Args:
        sde: a variance-preserving process (VPSDE or geometric VPSDE).
        num_steps: T.
        step_variance: s_n^2 = beta_n, or the posterior's variance beta_n (1 - abar_{n-1}) / (1 - abar_n).

    Source: Ho et al. (2020) Eqs. (7) and (11); method 9.
    """
    time = torch.arange(1, num_steps + 1, dtype=torch.float64) / num_steps
    variance = sde.variance(time)
    before = torch.cat([torch.zeros(1, dtype=torch.float64), variance[:-1]])
    # 1 - abar_n / abar_{n-1}, written so that small betas keep their digits.
    beta = (variance - before) / (1 - before)
    posterior = beta * before / variance
    posterior[0] = posterior[1]
    return StepTable(variance, beta, beta if step_variance == "beta" else posterior)


@torch.no_grad()
def sample_ancestral(
    prior: Prior, noise: Tensor, config: SampleConfig, step_noise: StepNoise | None = None
) -> PriorSamples:
    """Draw from the prior in `config.num_steps` stochastic steps.

    Args:
        prior: noise predictor with a variance-preserving SDE.
        noise: standard normals at t = 1, (B, C, r, r).
        config: `num_steps`, `step_variance` and `prior_temperature` are used.
        step_noise: standard normals (B, C, r, r) for step n = T .. 2.

    Raises:
        ConfigError: the SDE is not variance preserving.
        ValueError: no `step_noise`.
        SolverError: a latent is not finite.

    Source: Ho et al. (2020) Algorithm 2; method 10.
    """
    if not isinstance(prior.sde, VariancePreservingSde):
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
