from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from toy_gaussian import SDE_CONFIGS, GaussianPrior, sde_named

from lsgm.config import SampleConfig
from lsgm.randomness import normal
from lsgm.sampling import NumericalError, SolverError, integrate, sample_ode, sample_prior, solve_probability_flow
from lsgm.sde import SDES

SHAPE = (2, 3, 3)
TIME_END = 1e-5


def gaussian_prior(name: str) -> GaussianPrior:
    mean = normal((1, *SHAPE), 1, "mean").double()
    variance = 0.2 + normal((1, *SHAPE), 1, "variance").double() ** 2
    return GaussianPrior(sde_named(name), mean, variance)


def test_every_registered_sde_is_tested():
    assert set(SDE_CONFIGS) == set(SDES)


@pytest.mark.parametrize("name", SDES)
def test_flow_of_gaussian_data_is_the_closed_form_in_both_directions(name):
    prior = gaussian_prior(name)
    noise = normal((5, *SHAPE), 1, "noise").double() * prior.sde.base_variance**0.5
    solution = solve_probability_flow(prior, noise, 1.0, TIME_END, 1e-8)
    torch.testing.assert_close(solution.state, prior.flow(noise, 1.0, TIME_END), rtol=0, atol=1e-6)
    back = solve_probability_flow(prior, solution.state, TIME_END, 1.0, 1e-8)
    torch.testing.assert_close(back.state, noise, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", SDES)
def test_nfe_counts_every_evaluation(name):
    prior = gaussian_prior(name)
    solution = solve_probability_flow(prior, normal((3, *SHAPE), 1, "noise"), 1.0, TIME_END, 1e-4)
    assert solution.nfe == prior.calls
    assert solution.nfe % 6 == 2 and solution.nfe > 8


@pytest.mark.parametrize("name", SDES)
def test_network_is_never_asked_outside_the_interval(name):
    times = []
    prior = gaussian_prior(name)

    class Recorder:
        sde = prior.sde

        def __call__(self, z, t):
            times.append(t)
            return prior(z, t)

    solve_probability_flow(Recorder(), normal((3, *SHAPE), 1, "noise"), 1.0, 0.01, 1e-3)
    seen = torch.cat(times)
    assert seen.min() == pytest.approx(0.01, abs=1e-12) and seen.min() >= 0.01 and seen.max() <= 1


@pytest.mark.parametrize("name", ["vpsde", "geometric"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_normal_prior_of_a_vp_sde_is_the_identity(name, dtype):
    class NormalPrior(nn.Module):
        sde = sde_named(name)

        def __init__(self):
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(1, dtype=dtype))

        def forward(self, z, t):
            assert z.dtype == t.dtype == dtype
            return self.sde.normal_prediction(z, t)

    noise = normal((3, *SHAPE), 1, "noise")
    solution = solve_probability_flow(NormalPrior(), noise, 1.0, TIME_END, 1e-5)
    assert solution.state.dtype == torch.float64
    torch.testing.assert_close(solution.state, noise.double(), rtol=0, atol=1e-4 if dtype == torch.float32 else 1e-10)
    if dtype == torch.float64:
        # The first step is 1e-4 where the derivative vanishes, and each step may be ten times the last: five steps.
        assert solution.nfe == 2 + 6 * 5


@pytest.mark.parametrize("name", SDES)
def test_start_has_temperature_and_base_variance(name):
    prior = gaussian_prior(name)
    noise = normal((2, *SHAPE), 1, "noise")
    config = SampleConfig(prior_temperature=0.7, tol=1e-7, time_end=TIME_END)
    start = noise.double() * 0.7 * math.sqrt(prior.sde.base_variance)
    expected = prior.flow(start, 1.0, TIME_END)
    for samples in (sample_ode(prior, noise, config), sample_prior(prior, noise, config)):
        torch.testing.assert_close(samples.latent, expected, rtol=0, atol=1e-5)
        assert samples.nfe > 8


class Failing:
    """A prior whose flow breaks down below t = 0.5, in one of two ways."""

    sde = sde_named("vesde")

    def __init__(self, how: str) -> None:
        self.how = how

    def __call__(self, z, t):
        if self.how == "nan":
            return torch.where(t.reshape(-1, 1, 1, 1) < 0.5, math.nan, 0.0 * z)
        rate = 0.5 * self.sde.diffusion_squared(t[0]) / self.sde.variance(t[0]).sqrt()
        return -(z**2) / rate  # dz/dt = -z^2 backwards from z(1) = 2 is infinite at t = 0.5


@pytest.mark.parametrize("how, cause", [("nan", "non-finite derivative"), ("blow-up", "underflow|non-finite")])
def test_failures_are_typed_and_say_where(how, cause):
    with pytest.raises(SolverError, match=cause) as raised:
        solve_probability_flow(Failing(how), torch.full((2, *SHAPE), 2.0), 1.0, TIME_END, 1e-5)
    assert isinstance(raised.value, NumericalError)
    assert 0.4 < raised.value.time < 0.55 if how == "blow-up" else raised.value.time < 0.5
    assert "t = " in str(raised.value) and raised.value.cause in str(raised.value)


def test_non_finite_start_is_an_error():
    noise = normal((2, *SHAPE), 1, "noise")
    noise[0, 0, 0, 0] = math.inf
    with pytest.raises(SolverError):
        solve_probability_flow(gaussian_prior("vpsde"), noise, 1.0, TIME_END, 1e-3)


def test_endless_solve_is_ended(monkeypatch):
    monkeypatch.setattr("lsgm.sampling.ode.MAX_CALLS", 50)

    def rhs(time, state):
        return (torch.cos(1e4 * time) * torch.ones_like(state[0]),)

    with pytest.raises(SolverError, match="more than 50 evaluations"):
        integrate(rhs, (torch.ones(3, dtype=torch.float64),), 0.0, 1.0, 1e-8)


def test_tiny_derivative_does_not_probe_outside_the_interval():
    times = []

    def rhs(time, state):
        times.append(float(time))
        return (torch.full_like(state[0], 1e-9),)

    state, nfe = integrate(rhs, (torch.ones(3, dtype=torch.float64),), 1.0, 1e-5, 1e-5)
    assert nfe == len(times) and min(times) >= 1e-5
    torch.testing.assert_close(state[0], torch.full((3,), 1 - 1e-9, dtype=torch.float64))
