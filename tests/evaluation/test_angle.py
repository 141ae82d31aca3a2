"""The angle is the same thing for every SDE: it gives M, it grows as the flow needs it, and times come back from it."""

from __future__ import annotations

import math

import pytest
import torch
from diffusion.cases import CASES

from lsgm.evaluation.likelihood_path import angle, time_of_angle

TIMES = torch.linspace(0.001, 1, 200, dtype=torch.float64)


@pytest.mark.parametrize("name", CASES)
def test_its_sine_is_the_coefficient_of_the_normal_prediction(name):
    sde, z = CASES[name], torch.ones(len(TIMES), 1, dtype=torch.float64)
    sine, scale = angle(sde, TIMES).sin(), sde.normal_variance(TIMES).sqrt()
    torch.testing.assert_close(sde.normal_prediction(z, TIMES)[:, 0], sine / scale, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", CASES)
def test_it_grows_at_the_rate_that_the_flow_in_it_assumes(name):
    sde, times = CASES[name], TIMES.clone().requires_grad_()
    theta = angle(sde, times)
    (rate,) = torch.autograd.grad(theta.sum(), times)
    expected = sde.diffusion_squared(times) * theta.cos() / 2
    expected = expected / (sde.variance(times) * sde.normal_variance(times)).sqrt()
    torch.testing.assert_close(rate, expected, rtol=1e-6, atol=1e-12)
    assert bool((rate > 0).all()) and theta[0] > 0 and theta[-1] < math.pi / 2


@pytest.mark.parametrize("name", CASES)
def test_times_come_back(name):
    sde = CASES[name]
    back = time_of_angle(sde, angle(sde, TIMES))
    torch.testing.assert_close(back, TIMES, rtol=1e-9, atol=1e-12)
    ends = time_of_angle(sde, torch.tensor([0.0, math.pi / 2], dtype=torch.float64))
    assert ends.tolist() == pytest.approx([0.0, 1.0], abs=1e-15)
