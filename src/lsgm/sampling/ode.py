"""The probability-flow ODE of the latent prior (LSGM section 2; method 9 and 10).

dz/dt = f(t) z + g(t)^2 / 2 * eps_theta(z, t) / sigma_t, an ODE with the marginals of the reverse SDE. The solver's
state is float64 where the device has it; the network is evaluated in the precision of its parameters. Every sample is
solved by itself; a parity switch lets one error norm decide for the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lsgm.config import SampleConfig
from lsgm.sde import Sde

from .base import Prior, PriorSamples, StepNoise, predict_noise, state_dtype
from .dormand_prince import State, widened
from .per_sample import integrate_each
from .solver import integrate


@dataclass(frozen=True)
class OdeSolution:
    """End of a solve.

    Attributes:
        state: z at the end time, (B, C, r, r).
        nfe: calls of the right-hand side, each one network evaluation of the batch.
        evaluations: those of each sample, (B,), of which `nfe` is the largest; None where all have `nfe`.
    """

    state: Tensor
    nfe: int
    evaluations: Tensor | None = None


@dataclass(frozen=True)
class FlowCoefficients:
    """dz/dt = linear * z + noise * eps_theta(z, t), both with the shape of the time: (B,), or scalars of a batch."""

    linear: Tensor
    noise: Tensor

    def velocity(self, latent: Tensor, prediction: Tensor) -> Tensor:
        """dz/dt, (B, C, r, r), at z = `latent` with eps_theta = `prediction`."""
        return widened(self.linear, latent) * latent + widened(self.noise, latent) * prediction


def flow_coefficients(sde: Sde, time: Tensor) -> FlowCoefficients:
    """Coefficients of the probability flow at `time`: f(t) and g(t)^2 / (2 sigma_t)."""
    return FlowCoefficients(sde.drift(time), 0.5 * sde.diffusion_squared(time) / sde.variance(time).sqrt())


@torch.no_grad()
def solve_probability_flow(
    prior: Prior, latent: Tensor, start: float, end: float, tol: float, official_error_norm: bool = False
) -> OdeSolution:
    """Carry latents along the probability flow.

    Args:
        prior: noise predictor with its SDE, in evaluation mode.
        latent: z at `start`, (B, C, r, r).
        start: time in (0, 1]; 1 for sampling.
        end: time in (0, 1]; the cut-off t_o for sampling.
        tol: rtol = atol of the solver; the error of a sample is a root mean square over its own entries.
        official_error_norm: over the whole batch instead, all of whose samples then take the same steps.

    Returns:
        z at `end` in solver precision, and the number of evaluations.

    Raises:
        SolverError: step underflow or non-finite values.

    Source: LSGM section 2 (probability flow), Song et al. (2021) Eq. (13).
    """

    def right_hand_side(time: Tensor, state: State) -> State:
        flow = flow_coefficients(prior.sde, time)
        return (flow.velocity(state[0], predict_noise(prior, state[0], time)),)

    state = (latent.to(state_dtype(latent.device)),)
    if official_error_norm:
        (final,), nfe = integrate(right_hand_side, state, start, end, tol)
        return OdeSolution(final, nfe)
    solution = integrate_each(right_hand_side, state, start, end, tol)
    return OdeSolution(solution.state[0], solution.calls, solution.evaluations)


def sample_ode(prior: Prior, noise: Tensor, config: SampleConfig, step_noise: StepNoise | None = None) -> PriorSamples:
    """Draw from the prior by the probability flow from t = 1 to `config.time_end`, without a final denoising step.

    Args:
        prior: noise predictor with its SDE.
        noise: standard normals, (B, C, r, r).
        config: `tol`, `time_end`, `prior_temperature` and `official_error_norm` are used.
        step_noise: not used, the flow is deterministic.

    Raises:
        SolverError: see `solve_probability_flow`.

    Source: method 10.
    """
    start = noise.to(state_dtype(noise.device)) * (config.prior_temperature * prior.sde.base_variance**0.5)
    solution = solve_probability_flow(prior, start, 1.0, config.time_end, config.tol, config.official_error_norm)
    return PriorSamples(solution.state, solution.nfe, solution.evaluations)
