"""Weights of one step of an exponential integrator for the mixed score's flow: its linear part exact.

From θ_a to θ_b the flow dy/dθ = α (ε' − y sin θ) / cos θ (`lsgm.sampling.angle`) has the solution

    y_b = (cos θ_b / cos θ_a)^α y_a + ∫ α (cos θ_b / cos θ)^α ε'(θ) dθ / cos θ.

ε' along the path is replaced by the polynomial in θ through its known values, which gives
y_b = decay y_a + Σ_i weight_i ε'_i. The integral is taken in x = artanh(sin θ), dx = dθ / cos θ, by Gauss-Legendre
quadrature: in x the kernel and the polynomial are smooth at both ends of the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

Angle = float | Tensor
NODES = 32  # of the quadrature: the error of a step from one end of the process to the other is below 1e-9


def step_decay(start: Angle, end: Angle, alpha: Tensor) -> Tensor:
    """Return (cos θ_b / cos θ_a)^α, shaped as angles and alpha broadcast; arguments as of `step_weights`."""
    return torch.exp(alpha.double() * (_log_cosine(end) - _log_cosine(start)))


def step_weights(start: Angle, end: Angle, known: Sequence[Angle], alpha: Tensor) -> Tensor:
    """Weights of the network's predictions in one step.

    Args:
        start: θ_a, at which y is known, in (0, π/2); here and below a tensor (G, 1, 1, 1) stands for G grids at once.
        end: θ_b, at which it is wanted, on either side of θ_a.
        known: angles at which the prediction is known, all different; none need lie within the step.
        alpha: share of the network in the prediction, any shape that broadcasts with the angles, on the CPU.

    Returns:
        (len(known), *alpha.shape), or with grids (len(known), G, C, 1, 1); float64.

    Source: Hochbruck and Ostermann (2010), exponential Adams methods; method 3 for the mixed score.
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


def _log_cosine(theta: Angle) -> Tensor:
    return torch.log(torch.cos(torch.as_tensor(theta, dtype=torch.float64)))


@lru_cache(maxsize=1)
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss and Legendre on [-1, 1]."""
    return np.polynomial.legendre.leggauss(NODES)
