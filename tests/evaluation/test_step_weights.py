"""The weights of a step: against plain numerical integration, and exact where the prediction is a polynomial."""

from __future__ import annotations

import math

import pytest
import torch

from lsgm.evaluation.likelihood_path import step_decay, step_weights

ALPHA = torch.tensor([0.0, 0.003, 0.05, 0.5, 1.0], dtype=torch.float64)[None, :, None, None]
STEPS = {"first": (1.564, 1.40), "middle": (1.2, 0.7), "last": (0.1, 1e-3), "whole": (1.564, 0.006), "back": (0.4, 0.9)}
KNOWN = {1: (0.9,), 2: (0.9, 1.3), 3: (0.9, 1.3, 1.5)}


def fine_solution(start: float, end: float, prediction, y: float, count: int = 300) -> torch.Tensor:
    """Runge-Kutta of order 4 for dy/dθ = α (ε' − y sin θ) / cos θ, in x = artanh(sin θ)."""
    x_start, x_end = (math.atanh(math.sin(theta)) for theta in (start, end))
    step = (x_end - x_start) / count
    y = torch.full_like(ALPHA, y)

    def slope(x: float, y: torch.Tensor) -> torch.Tensor:
        sine = math.tanh(x)
        return ALPHA * (prediction(math.asin(sine)) - y * sine)

    for number in range(count):
        x = x_start + number * step
        first = slope(x, y)
        second = slope(x + step / 2, y + step / 2 * first)
        third = slope(x + step / 2, y + step / 2 * second)
        y = y + step / 6 * (first + 2 * second + 2 * third + slope(x + step, y + step * third))
    return y


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("count", KNOWN)
def test_exact_where_the_prediction_is_a_polynomial(step, count):
    def prediction(theta: float) -> float:
        return sum(coefficient * theta**power for power, coefficient in enumerate((0.7, -1.3, 0.9)[:count]))

    start, end = STEPS[step]
    weights = step_weights(start, end, KNOWN[count], ALPHA)
    assert weights.shape == (count, *ALPHA.shape) and weights.dtype == torch.float64
    found = step_decay(start, end, ALPHA) * 0.4
    found = found + sum(weight * prediction(theta) for weight, theta in zip(weights, KNOWN[count], strict=True))
    torch.testing.assert_close(found, fine_solution(start, end, prediction, 0.4), rtol=1e-7, atol=1e-6)


@pytest.mark.parametrize("step", STEPS)
def test_weights_against_brute_force(step):
    start, end = STEPS[step]
    x = torch.linspace(*(math.atanh(math.sin(theta)) for theta in (start, end)), 200_001, dtype=torch.float64)
    cosine, theta = 1 / torch.cosh(x), torch.asin(torch.tanh(x))
    basis = [(theta - 1.3) / (0.9 - 1.3), (theta - 0.9) / (1.3 - 0.9)]
    for found, part in zip(step_weights(start, end, (0.9, 1.3), ALPHA), basis, strict=True):
        expected = torch.trapezoid(ALPHA[..., None] * (math.cos(end) / cosine) ** ALPHA[..., None] * part, x)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-8)


def test_without_a_network_nothing_moves():
    none = torch.zeros(1, 2, 1, 1)
    assert bool((step_weights(1.5, 0.1, (1.5, 1.55), none) == 0).all())
    assert bool((step_decay(1.5, 0.1, none) == 1).all())


def test_two_steps_with_one_constant_are_one_step():
    first, second = (step_weights(*ends, (1.2,), ALPHA)[0] for ends in ((1.5, 0.8), (0.8, 0.02)))
    whole = step_weights(1.5, 0.02, (1.2,), ALPHA)[0]
    torch.testing.assert_close(step_decay(0.8, 0.02, ALPHA) * first + second, whole, rtol=1e-10, atol=1e-12)
