from __future__ import annotations

import pytest
import torch
from toy_gaussian import sde_named

from lsgm.evaluation.likelihood_path import angle_grid, trace_weights
from lsgm.sde import SDES


def angles(name: str, steps: int) -> tuple[float, ...]:
    return angle_grid(sde_named(name), 1e-5, steps).angles[::-1]


def integral(power: int, start: float, end: float) -> float:
    """Of θ^power / cos θ, by the midpoint rule in x = artanh(sin θ)."""
    low, high = (torch.atanh(torch.sin(torch.tensor(angle, dtype=torch.float64))) for angle in (start, end))
    x = low + (high - low) * (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    return float((torch.asin(torch.tanh(x)) ** power).mean() * (high - low))


@pytest.mark.parametrize("steps, degree", [(1, 1), (2, 2), (3, 3), (10, 3)])
def test_trace_of_a_cubic_is_integrated_exactly(steps, degree):
    places = angles("vpsde", steps)
    weights = trace_weights(places)
    for power in range(degree + 1):
        found = float((weights * torch.tensor(places, dtype=torch.float64) ** power).sum())
        assert found == pytest.approx(integral(power, places[0], places[-1]), rel=1e-7)


@pytest.mark.parametrize("name", SDES)
@pytest.mark.parametrize("steps", [2, 5, 25, 100])
def test_weights_of_the_trace_are_positive(name, steps):
    """Weights of both signs would add to the noise of the probes."""
    assert (trace_weights(angles(name, steps)) > 0).all()
