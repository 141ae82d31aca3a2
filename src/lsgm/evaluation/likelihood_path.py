"""The path of a fixed-step likelihood: where it evaluates, how it steps, and how it integrates the trace.

With N(t) = m_t² (1 − σ_0²) + σ_t², sin θ = σ_t / √N and y = z / √N, the probability flow of every SDE is

    dy/dθ = α (ε' − y sin θ) / cos θ                                             (docs/method.md, Likelihood)

From θ_a to θ_b, with ε' as the polynomial in θ through its known values, its solution is y_b = decay y_a + Σ w_i ε'_i:

    y_b = (cos θ_b / cos θ_a)^α y_a + ∫ α (cos θ_b / cos θ)^α ε'(θ) dθ / cos θ.

The integral is taken in x = artanh(sin θ), dx = dθ / cos θ, by Gauss-Legendre quadrature: in x the kernel and the
polynomial are smooth at both ends of the process. Source: Hochbruck and Ostermann (2010), exponential Adams methods.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from lsgm.sde import Sde

BISECTIONS = 64  # halvings of [0, 1]: down to rounding for times above 1e-4, to 1e-19 below
POWER = 1 / 3
STEP_NODES = 32  # of the quadrature: the error of a step from one end of the process to the other is below 1e-9
TRACE_NODES = 16
TRACE_PLACES = 4


def angle(sde: Sde, t: Tensor) -> Tensor:
    """Return θ(t) in [0, π/2), same shape as t; it grows with t."""
    return torch.atan2(sde.variance(t).sqrt(), sde.mean(t) * (1 - sde.sigma2_0) ** 0.5)


def time_of_angle(sde: Sde, theta: Tensor) -> Tensor:
    """Inverse of `angle`: the time in [0, 1], float64, same shape; the nearer end for angles that no time has."""
    low = torch.zeros_like(theta, dtype=torch.float64)
    high = torch.ones_like(low)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        below = angle(sde, middle) < theta
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


@dataclass(frozen=True)
class AngleGrid:
    """Places along the flow, from t = 1 to the end; all float64, on the CPU.

    Attributes:
        angles: θ, falling.
        times: t at these angles.
        scales: √N, by which z_t = √N y.
    """

    angles: tuple[float, ...]
    times: Tensor
    scales: tuple[float, ...]


def angle_grid(sde: Sde, time_end: float, num_steps: int) -> AngleGrid:
    """Divide the way from t = 1 to `time_end` into steps that are equal in (−ln cos θ)^(1/3).

    −ln cos θ is half the integral of β of a variance-preserving SDE, so the same angles serve every SDE.

    Args:
        sde: the forward process.
        time_end: where the flow ends, in (0, 1).
        num_steps: how many steps; the grid has one place more.
    """
    ends = angle(sde, torch.tensor([1.0, time_end], dtype=torch.float64))
    first, last = (0.5 * torch.log1p(torch.tan(ends).square())) ** POWER
    places = torch.arange(num_steps + 1, dtype=torch.float64)
    half_integral = (first + (last - first) * places / num_steps) ** (1 / POWER)
    # cos θ = e^−half_integral, by the tangent: the cosine has lost its digits where the angle is small.
    angles = torch.atan(torch.sqrt(torch.expm1(2 * half_integral)))
    times = time_of_angle(sde, angles)
    for values, exact in ((angles, ends), (times, torch.tensor([1.0, time_end], dtype=torch.float64))):
        values[0], values[-1] = exact[0], exact[1]
    return AngleGrid(tuple(angles.tolist()), times, tuple(sde.normal_variance(times).sqrt().tolist()))


@dataclass(frozen=True)
class PathConstants:
    """Constants of S steps, for predictions counted from the latest backwards; weights of those not there yet are 0.

    Attributes:
        decay: (S, 1, C, 1, 1), by which y falls in a step.
        predictor: (S, order, 1, C, 1, 1), weights of the predictions up to the start of the step.
        corrector: (S, order + 1, 1, C, 1, 1), weights of the prediction at the end of the step and of those before.
    """

    decay: Tensor
    predictor: Tensor
    corrector: Tensor

    def to(self, device: torch.device, dtype: torch.dtype) -> PathConstants:
        """The same elsewhere; rounded before it is moved, for devices without float64."""
        parts = (self.decay, self.predictor, self.corrector)
        return PathConstants(*(part.to(dtype).to(device) for part in parts))


def path_constants(angles: Sequence[float], alpha: Tensor, order: int) -> PathConstants:
    """Compute the constants, float64, on the CPU.

    Args:
        angles: θ of the S + 1 places, rising or falling.
        alpha: share of the network, (1, C, 1, 1), on the CPU.
        order: predictions that the predictor extrapolates, lower where there are fewer.
    """
    decay, predictor, corrector = [], [], []
    for step, (start, end) in enumerate(pairwise(angles)):
        known = tuple(angles[step::-1][:order])
        decay.append(step_decay(start, end, alpha))
        predictor.append(_filled(step_weights(start, end, known, alpha), order))
        corrector.append(_filled(step_weights(start, end, (end, *known), alpha), order + 1))
    return PathConstants(torch.stack(decay), torch.stack(predictor), torch.stack(corrector))


def combine(decay: Tensor, y: Tensor, weights: Tensor, predictions: Sequence[Tensor]) -> Tensor:
    """Return decay y + sum of weights[i] predictions[i], over as many as there are predictions."""
    total = decay * y
    for weight, prediction in zip(weights, predictions, strict=False):
        total = total + weight * prediction
    return total


def step_decay(start: float, end: float, alpha: Tensor) -> Tensor:
    """Return (cos θ_b / cos θ_a)^α, shaped as alpha; arguments as of `step_weights`."""
    return torch.exp(alpha.double() * (_log_cosine(end) - _log_cosine(start)))


def step_weights(start: float, end: float, known: Sequence[float], alpha: Tensor) -> Tensor:
    """Weights of the network's predictions in one step.

    Args:
        start: θ_a, at which y is known, in (0, π/2).
        end: θ_b, at which it is wanted, on either side of θ_a.
        known: angles at which the prediction is known, all different; none need lie within the step.
        alpha: share of the network in the prediction, any shape, on the CPU.

    Returns:
        (len(known), *alpha.shape), float64.
    """
    nodes, measure = _quadrature()
    start, end, *known = (torch.as_tensor(theta, dtype=torch.float64)[..., None] for theta in (start, end, *known))
    x_start, x_end = (torch.atanh(torch.sin(theta)) for theta in (start, end))
    x = (x_start + x_end) / 2 + (x_end - x_start) / 2 * torch.from_numpy(nodes)
    theta = torch.asin(torch.tanh(x))
    alpha = alpha.double()[..., None]
    # cos θ = 1 / cosh x
    kernel = alpha * torch.exp(alpha * (torch.log(torch.cosh(x)) + _log_cosine(end)))
    kernel = kernel * (x_end - x_start) / 2 * torch.from_numpy(measure)
    return torch.stack([(kernel * part).sum(dim=-1) for part in _lagrange(theta, known)])


def trace_weights(angles: Sequence[float]) -> Tensor:
    """Weights w of the places with ∫ X(θ) dθ / cos θ = Σ w X over all steps, (S + 1,), float64.

    X is taken as the cubic in θ through the four places nearest to a step, of a lower degree where there are fewer.
    Against the trapezium rule this costs no evaluation, and leaves the weights positive on the grids used here.

    Args:
        angles: θ of the S + 1 places, rising, at least two.
    """
    places = np.asarray(angles, dtype=np.float64)
    count = min(TRACE_PLACES, len(places))
    nodes, measure = np.polynomial.legendre.leggauss(TRACE_NODES)
    weights = np.zeros(len(places))
    for step in range(len(places) - 1):
        start, end = (math.atanh(math.sin(angle)) for angle in places[step : step + 2])
        theta = np.arcsin(np.tanh((start + end) / 2 + (end - start) / 2 * nodes))
        first = min(max(step - (count - 2) // 2, 0), len(places) - count)
        for own in range(first, first + count):
            others = np.delete(places[first : first + count], own - first)
            basis = np.prod((theta[:, None] - others) / (places[own] - others), axis=1)
            weights[own] += (end - start) / 2 * (measure * basis).sum()
    return torch.from_numpy(weights)


def _lagrange(at: Tensor, known: Sequence[Tensor]) -> list[Tensor]:
    """Values at `at` of the polynomials that are 1 at one known angle and 0 at the others."""
    values = []
    for own, angle in enumerate(known):
        value = torch.ones_like(at)
        for place, other in enumerate(known):
            if place != own:
                value = value * (at - other) / (angle - other)
        values.append(value)
    return values


def _filled(weights: Tensor, count: int) -> Tensor:
    """Append weights of 0 up to `count`."""
    return torch.cat([weights, weights.new_zeros(count - len(weights), *weights.shape[1:])])


def _log_cosine(theta: float | Tensor) -> Tensor:
    return torch.log(torch.cos(torch.as_tensor(theta, dtype=torch.float64)))


@lru_cache(maxsize=1)
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss and Legendre on [-1, 1]."""
    return np.polynomial.legendre.leggauss(STEP_NODES)
