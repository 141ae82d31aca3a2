"""The probability flow in few fixed steps: Adams-Bashforth-Moulton and Heun, in coordinates of the Normal prior.

With N(t) = m_t² (1 − σ_0²) + σ_t², the variance of z_t for standard normal latents (`normal_variance` of each SDE),
let y = z / √N and sinh x = σ_t / (m_t √(1 − σ_0²)); x grows with t. M = y tanh x is the Normal prior's prediction, and
the flow dz/dt = f z + g² / (2 σ_t) ε of every SDE becomes

    dy/dx = ε − M,   for the mixed score ε = (1 − α) M + α ε':   dy/dx = α (ε' − M).

A Normal prior stands still; steps are spent on what the network adds. Places are equal in x^(2/3), the same for all
images. Constants are computed on the host in float64; in between nothing waits for the device. In the family of DEIS
(Zhang and Chen, 2023) and UniPC (Zhao et al., 2023); docs/design.md says what else was tried.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lsgm.config import SampleConfig
from lsgm.sampling.base import SolverError
from lsgm.sde import Sde

from .base import Prior, PriorSamples, StepNoise, network_share, predict_network, state_dtype

ORDER = 3
POWER = 2 / 3
BISECTIONS = 64  # halvings of [0, 1]: down to rounding for times above 1e-4, to 1e-19 below


def normal_coordinate(sde: Sde, t: Tensor) -> Tensor:
    """x(t) = arsinh(σ_t / (m_t √(1 − σ_0²))), same shape as t; it grows with t."""
    return torch.asinh(sde.variance(t).sqrt() / (sde.mean(t) * (1 - sde.sigma2_0) ** 0.5))


def time_of_coordinate(sde: Sde, x: Tensor) -> Tensor:
    """Inverse of `normal_coordinate` in [0, 1], float64, same shape; the nearer end for values that no time has."""
    low = torch.zeros_like(x, dtype=torch.float64)
    high = torch.ones_like(low)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        below = normal_coordinate(sde, middle) < x
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


def few_step_times(sde: Sde, time_end: float, num_steps: int) -> tuple[Tensor, Tensor]:
    """Places of the flow from t = 1 to `time_end`: x and t, falling, (num_steps + 1,) each, float64, on the CPU."""
    ends = torch.tensor([1.0, time_end], dtype=torch.float64)
    first, last = normal_coordinate(sde, ends) ** POWER
    x = torch.lerp(first, last, torch.linspace(0, 1, num_steps + 1, dtype=torch.float64)) ** (1 / POWER)
    times = time_of_coordinate(sde, x)
    times[0], times[-1] = ends
    return x, times


def polynomial_weights(start: float, end: float, nodes: np.ndarray) -> list[float]:
    """Weights w with Σ w_i p(nodes_i) = ∫ p(x) dx from start to end for every polynomial p of degree < len(nodes)."""
    powers = np.arange(len(nodes))
    scaled = (nodes - start) / (end - start)
    return ((end - start) * np.linalg.solve(scaled[None, :] ** powers[:, None], 1 / (powers + 1))).tolist()


@torch.no_grad()
def sample_multistep(
    prior: Prior, noise: Tensor, config: SampleConfig, step_noise: StepNoise | None = None
) -> PriorSamples:
    """Draw from the prior in `config.evaluations` steps, with one evaluation each.

    The predictor extrapolates the last three slopes (two in the last step). The slope at the new place, which the next
    step needs anyway, then corrects the step behind it (PECE without the second evaluation).

    Args:
        prior: noise predictor with its SDE; with `network_prediction` and `alpha` if its score is mixed.
        noise: standard normals, (B, C, r, r).
        config: `evaluations`, `time_end` and `prior_temperature` are used.
        step_noise: not used, the flow is deterministic.

    Raises:
        SolverError: a prediction is not finite.
    """
    flow = _Flow(prior, noise, config, config.evaluations)
    y = before = flow.start
    slopes: list[Tensor] = []
    for step in range(flow.num_steps):
        slopes = [flow.slope(y, step), *slopes[:ORDER]]
        if step > 0:
            y = flow.advance(before, step - 1, slopes)
        before = y
        order = ORDER - 1 if step == flow.num_steps - 1 else ORDER
        y = flow.advance(y, step, slopes[:order], newest=step)
    return flow.finish(y)


@torch.no_grad()
def sample_heun(prior: Prior, noise: Tensor, config: SampleConfig, step_noise: StepNoise | None = None) -> PriorSamples:
    """Draw from the prior in `config.evaluations` / 2 steps of Heun's method, with two evaluations each.

    Arguments and errors as of `sample_multistep`.
    """
    flow = _Flow(prior, noise, config, config.evaluations // 2)
    y = flow.start
    for step in range(flow.num_steps):
        here = flow.slope(y, step)
        there = flow.slope(flow.advance(y, step, [here], newest=step), step + 1)
        y = flow.advance(y, step, [there, here])
    return flow.finish(y)


class _Flow:
    """One solve of dy/dx = α (ε' − M).

    Attributes:
        num_steps: steps from t = 1 to the end.
        start: y at t = 1, in solver precision, on the device of the noise.
    """

    def __init__(self, prior: Prior, noise: Tensor, config: SampleConfig, num_steps: int) -> None:
        dtype, device = state_dtype(noise.device), noise.device
        x, self._times_on_host = few_step_times(prior.sde, config.time_end, num_steps)
        scales = prior.sde.normal_variance(self._times_on_host).sqrt()
        constants = (self._times_on_host, scales, torch.tanh(x), network_share(prior))
        self._times, self._scales, self._tanh, self._alpha = (each.to(dtype).to(device) for each in constants)
        self._prior, self._x, self.num_steps = prior, x.numpy(), num_steps
        self._finite: list[Tensor] = []
        self._places: list[int] = []
        scale = config.prior_temperature * prior.sde.base_variance**0.5 / scales[0].item()
        self.start = noise.to(dtype) * scale

    def slope(self, y: Tensor, place: int) -> Tensor:
        """dy/dx at y and a place, (B, C, r, r); one evaluation of the network."""
        prediction = predict_network(self._prior, y * self._scales[place], self._times[place])
        self._places.append(place)
        self._finite.append(torch.isfinite(prediction).all())
        return self._alpha * (prediction - y * self._tanh[place])

    def advance(self, y: Tensor, step: int, slopes: list[Tensor], newest: int | None = None) -> Tensor:
        """y at the end of a step from y at its start, by the polynomial through the slopes.

        Args:
            y: at the start of the step.
            step: its number.
            slopes: at successive places, the newest first.
            newest: place of the first of them; None: the end of the step.
        """
        newest = step + 1 if newest is None else newest
        nodes = self._x[newest::-1][: len(slopes)]
        weights = polynomial_weights(self._x[step], self._x[step + 1], nodes)
        return y + sum(weight * slope for weight, slope in zip(weights, slopes, strict=True))

    def finish(self, y: Tensor) -> PriorSamples:
        """Latents at the end.

        Raises:
            SolverError: a prediction or the end is not finite; the first such place is named.
        """
        latent = y * self._scales[-1]
        finite = torch.stack([*self._finite, torch.isfinite(latent).all()]).tolist()
        if not all(finite):
            place = [*self._places, self.num_steps][finite.index(False)]
            raise SolverError(self._times_on_host[place].item(), "non-finite prediction or latent")
        return PriorSamples(latent, len(self._places))
