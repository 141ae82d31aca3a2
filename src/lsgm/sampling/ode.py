"""The probability-flow ODE of the latent prior (LSGM section 2; method.md: Likelihood).

dz/dt = f(t) z + g(t)^2 / 2 * eps_theta(z, t) / sigma_t, an ODE with the marginals of the reverse SDE. The solver's
state is float64 where the device has it; the network is evaluated in the precision of its parameters. Every sample is
solved by itself; a parity switch lets one error norm decide for the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lsgm.config import SampleConfig
from lsgm.sampling.base import SolverError
from lsgm.sampling.dopri5 import MAX_CALLS, State, integrate_each, widened
from lsgm.sde import Sde

from .base import Prior, PriorSamples, StepNoise, predict_noise, state_dtype


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

    Source: method.md: Probability-flow ODE.
    """
    start = noise.to(state_dtype(noise.device)) * (config.prior_temperature * prior.sde.base_variance**0.5)
    solution = solve_probability_flow(prior, start, 1.0, config.time_end, config.tol, config.official_error_norm)
    return PriorSamples(solution.state, solution.nfe, solution.evaluations)


class _Counted:
    """A right-hand side that counts its calls and refuses non-finite derivatives."""

    def __init__(self, rhs: Callable[[Tensor, State], State], start: float, end: float) -> None:
        self.rhs = rhs
        self.low, self.high = min(start, end), max(start, end)
        self.calls = 0
        self.time = start

    def __call__(self, time: Tensor, state: State) -> State:
        # The solver's probe for its first step may leave the interval when the derivative is tiny; the process is not
        # defined there (negative variances). Proper steps never do.
        time = time.clamp(self.low, self.high)
        self.calls += 1
        self.time = float(time)
        if self.calls > MAX_CALLS:
            raise SolverError(self.time, f"more than {MAX_CALLS} evaluations")
        derivative = self.rhs(time, state)
        if not all(bool(torch.isfinite(part).all()) for part in derivative):
            finite = all(bool(torch.isfinite(part).all()) for part in state)
            raise SolverError(self.time, f"non-finite {'derivative' if finite else 'state'}")
        return derivative


def integrate(
    rhs: Callable[[Tensor, State], State], state: State, start: float, end: float, tol: float
) -> tuple[State, int]:
    """Integrate d(state)/dt = rhs(t, state) from `start` to `end` with torchdiffeq, one error norm for the batch.

    For comparison with what the authors measured, and for right-hand sides that are noisy, whose noise a norm over many
    samples averages out; `integrate_each` is the solver for everything else. The error of a step is the root mean
    square over a part of the state (the whole batch together), the largest
    over the parts; rtol = atol = tol.

    Args:
        rhs: called with scalar t and the state; gives the derivative of each part.
        state: tensors of one floating dtype, which is that of the solver.
        start: time at which `state` is given.
        end: time at which the state is wanted.
        tol: relative and absolute tolerance.

    Returns:
        The state at `end`, and the number of calls of `rhs`: 2, and 6 per attempted step.

    Raises:
        SolverError: the step underflows, there are too many evaluations, or a value is not finite.

    Source: Dormand and Prince (1980).
    """
    from torchdiffeq import odeint

    counted = _Counted(rhs, start, end)
    times = torch.tensor([start, end], dtype=state[0].dtype, device=state[0].device)
    # A grid point at the end: without it the solver steps past the end and interpolates.
    options = {"dtype": times.dtype, "step_t": times[1:].clone()}
    try:
        path = odeint(counted, state, times, rtol=tol, atol=tol, method="dopri5", options=options)
    except AssertionError as error:  # torchdiffeq's way to say that the step underflows
        raise SolverError(counted.time, str(error).split(" `y`")[0]) from error
    final = tuple(part[-1] for part in path)
    if not all(bool(torch.isfinite(part).all()) for part in final):
        raise SolverError(end, "non-finite state")
    return final, counted.calls
