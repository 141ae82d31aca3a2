"""Stochastic samplers of the latent prior: ancestral (DDPM), and predictor-corrector of the reverse SDE.

**Ancestral**, exact for variance-preserving kernels.
With abar_n = 1 - sigma^2(n / T) and beta_n = 1 - abar_n / abar_{n-1}, n = T .. 1:
z_{n-1} = (z_n - beta_n eps_theta / sqrt(1 - abar_n)) / sqrt(1 - beta_n) + s_n * temperature * noise; at n = 1 the
latent is denoised at once, (z_1 - sqrt(1 - abar_1) eps_theta) / sqrt(abar_1). The result is clamped to [-3, 3].
The authors' code takes the same steps with any SDE: a parity switch does so too.

**Predictor-corrector** (Song et al. 2021, Algorithms 1 to 5), for every SDE.
The times t_N = 1 > ... > t_0 = time_end are equally spaced. From t_{n-1} to t_n an SDE of linear drift has the exact
transition z_n = a_n z_{n-1} + b_n ε with a_n = m_n / m_{n-1} and b_n² = σ_n² − a_n² σ_{n-1}²: the source's discrete
VESDE (a_n = 1, b_n² = σ_n² − σ_{n-1}²) and VPSDE (a_n² = 1 − β_n, b_n² = β_n), and what it would be for the others.
With the score s = −ε_θ / σ_n, for n = N .. 1:

    corrector, so many times:  z ← z + h s + √(2h) ε at t_n,  h = 2 a_n² (r |ε| / |s|)²
    predictor:                 z ← (2 − a_n) z + b_n² s + b_n ε, now at t_{n-1}; without its noise at n = 1

The predictor is the reverse diffusion of that transition. Euler-Maruyama steps of the reverse SDE agree with it to
first order, but have g²(t_n) (t_n − t_{n-1}) for b_n²: at t = 1 of the geometric VPSDE, where g² is 10⁴, they blow up,
whereas b_n² stays below σ_n². The corrector's a_n² is the source's α: 1 − β_n, and 1 for the VESDE. The source
corrects after a prediction; here the same chain begins with a correction at t = 1 and ends with a prediction, so that
the result is the mean of the last transition and every evaluation has a part in it.

The source takes the means of |ε| and |s| over a batch. Here they are each sample's own, so that its path does not
depend on its neighbours. In D dimensions they vary by 1 / √(2D) of their size, and what the corrector leaves has a
variance that is too large by the share r² + 4 / D about: nothing to latents of hundreds of dimensions, much to a few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lsgm.config import ConfigError, SampleConfig
from lsgm.sde import Sde, VariancePreservingSde

from .base import Prior, PriorSamples, SolverError, StepNoise, predict_noise, state_dtype

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

    Source: Ho et al. (2020) Eqs. (7) and (11); method.md: Likelihood.
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

    Source: Ho et al. (2020) Algorithm 2; for the parity switch method.md: Where the published code differs.
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


@dataclass(frozen=True)
class ReverseStep:
    """Constants of the step from t_n to t_{n-1}.

    Attributes:
        time: t_n.
        deviation: σ_n.
        decay: a_n, in (0, 1].
        variance: b_n², in (0, σ_n²].
    """

    time: float
    deviation: float
    decay: float
    variance: float


def reverse_steps(sde: Sde, num_steps: int, time_end: float) -> list[ReverseStep]:
    """Constants of the steps n = 1 .. N, entry n - 1 for step n, computed in float64.

    Args:
        sde: the forward process.
        num_steps: N.
        time_end: t_0, in (0, 1).

    Source: Song et al. (2021) appendix E, for the exact transition of the SDE.
    """
    time = torch.linspace(time_end, 1.0, num_steps + 1, dtype=torch.float64)
    mean, variance = sde.mean(time), sde.variance(time)
    decay = mean[1:] / mean[:-1]
    constants = torch.stack([time[1:], variance[1:].sqrt(), decay, variance[1:] - decay**2 * variance[:-1]], dim=1)
    return [ReverseStep(*row) for row in constants.tolist()]


def langevin_step(latent: Tensor, score: Tensor, noise: Tensor, ratio: float) -> Tensor:
    """Take one step of Langevin dynamics, of the size that a signal-to-noise ratio gives it.

    Args:
        latent: z, (B, C, r, r).
        score: s at z, same shape; not zero for any sample.
        noise: standard normals, times the temperature, same shape.
        ratio: r a_n; the step has |h s| / |√(2h) noise| equal to it.

    Returns:
        z + h s + √(2h) noise with h = 2 (ratio |noise| / |s|)², each sample with its own norms; same shape.

    Source: Song et al. (2021) Algorithms 4 and 5.
    """
    dimensions = tuple(range(1, latent.ndim))
    root = ratio * _norm(noise, dimensions) / _norm(score, dimensions)
    return latent + 2 * root.square() * score + 2 * root * noise


@torch.no_grad()
def sample_predictor_corrector(
    prior: Prior, noise: Tensor, config: SampleConfig, step_noise: StepNoise | None = None
) -> PriorSamples:
    """Draw from the prior in `config.num_steps` predictions, each after `config.corrector_steps` corrections.

    With M corrections the predictor of step n has the noise of number n (M + 1), its k-th correction n (M + 1) + k: no
    two share one, and without a corrector the numbers are those of the ancestral sampler. A temperature scales all
    noises, so that the corrector draws from the density to the power of 1 / temperature².

    Args:
        prior: noise predictor with its SDE, whichever it is.
        noise: standard normals at t = 1, (B, C, r, r).
        config: `num_steps`, `time_end`, `corrector_steps`, `corrector_snr` and `prior_temperature` are used.
        step_noise: standard normals (B, C, r, r) by number.

    Returns:
        Latents at `config.time_end`, not clamped, and N (M + 1) evaluations.

    Raises:
        ValueError: no `step_noise`.
        SolverError: a latent is not finite.

    Source: Song et al. (2021) Algorithms 1 to 5.
    """
    if step_noise is None:
        raise ValueError("the predictor-corrector sampler needs `step_noise`")
    steps = reverse_steps(prior.sde, config.num_steps, config.time_end)
    latent = noise.to(state_dtype(noise.device)) * (config.prior_temperature * prior.sde.base_variance**0.5)
    times = torch.tensor([step.time for step in steps], dtype=latent.dtype, device=latent.device)
    calls = config.corrector_steps + 1
    for n in range(config.num_steps, 0, -1):
        step, time = steps[n - 1], times[n - 1]
        for number in range(n * calls + 1, (n + 1) * calls):
            score = _score(prior, latent, time, step)
            warm = config.prior_temperature * step_noise(number).to(latent)
            latent = langevin_step(latent, score, warm, config.corrector_snr * step.decay)
        latent = (2 - step.decay) * latent + step.variance * _score(prior, latent, time, step)
        if n > 1:
            latent = latent + config.prior_temperature * step.variance**0.5 * step_noise(n * calls).to(latent)
        if not bool(torch.isfinite(latent).all()):
            raise SolverError(step.time, "non-finite latent")
    return PriorSamples(latent, config.num_steps * calls)


def _score(prior: Prior, latent: Tensor, time: Tensor, step: ReverseStep) -> Tensor:
    """s = −ε_θ / σ_n, in the precision of the latent."""
    return predict_noise(prior, latent, time).to(latent.dtype) / -step.deviation


def _norm(values: Tensor, dimensions: tuple[int, ...]) -> Tensor:
    """Euclidean norm of each sample, (B, 1, ...)."""
    return torch.linalg.vector_norm(values, dim=dimensions, keepdim=True)
