"""The samplers of few fixed steps: closed forms, their order, their cost, and what they do with what cannot be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from single_precision_prior import SinglePrecisionPrior
from toy_gaussian import GaussianPrior, scalar, sde_named

from lsgm.bench.mixture_prior import mixture_prior
from lsgm.config import SampleConfig
from lsgm.randomness import normal, normal_rows
from lsgm.sampling import SAMPLERS, SolverError, sample_prior, solve_probability_flow
from lsgm.sampling.few_steps import few_step_times, normal_coordinate, polynomial_weights
from lsgm.sde import SDES

SHAPE = (2, 3, 3)
# Settings, and the order at which the error falls.
METHODS = {"heun": ({"solver": "heun"}, 2), "multistep": ({"solver": "multistep"}, 3)}
each_method = pytest.mark.parametrize("method", METHODS)
each_sde = pytest.mark.parametrize("name", SDES)


def settings(method: str, evaluations: int, **changes) -> SampleConfig:
    return SampleConfig(**{**METHODS[method][0], "evaluations": evaluations, "time_end": 1e-3, **changes})


def gaussian_prior(name: str) -> GaussianPrior:
    mean = normal((1, *SHAPE), 1, "mean").double()
    variance = 0.2 + normal((1, *SHAPE), 1, "variance").double() ** 2
    return GaussianPrior(sde_named(name), mean, variance)


class Mixed:
    """A mixed score whose network predicts what it is told, whatever the latent; counts its calls."""

    def __init__(self, name: str, alpha: float, network) -> None:
        self.sde, self.network, self.calls = sde_named(name), network, 0
        self.alpha = torch.full((1, SHAPE[0], 1, 1), alpha)

    def network_prediction(self, z, time):
        self.calls += 1
        return self.network(z, time)

    def __call__(self, z, time):
        return (1 - self.alpha) * self.sde.normal_prediction(z, time) + self.alpha * self.network_prediction(z, time)


def noise(count: int = 4) -> torch.Tensor:
    return normal_rows(range(count), SHAPE, 3, "noise")


def error(prior: GaussianPrior, config: SampleConfig) -> float:
    start = noise().double() * prior.sde.base_variance**0.5
    exact = prior.flow(start, 1.0, config.time_end)
    return (sample_prior(prior, noise(), config).latent - exact).abs().max().item()


@each_method
@each_sde
def test_halving_the_steps_divides_the_error_by_two_to_the_order(name, method):
    prior, order = gaussian_prior(name), METHODS[method][1]
    coarse, fine = (error(prior, settings(method, count)) for count in (64, 128))
    assert fine < 5e-3 and coarse / fine > 0.8 * 2**order


@each_sde
def test_twenty_evaluations_are_near_the_closed_form(name):
    assert error(gaussian_prior(name), settings("multistep", 20)) < 0.01


@each_method
@each_sde
def test_a_constant_difference_from_the_normal_prediction_is_taken_exactly(name, method):
    constant, sde = normal((1, *SHAPE), 5, "constant").double(), sde_named(name)
    prior = Mixed(name, 0.3, lambda z, time: constant + sde.normal_prediction(z, time))
    few, many = (sample_prior(prior, noise(), settings(method, count)).latent for count in (4, 100))
    torch.testing.assert_close(few, many, rtol=0, atol=1e-9)
    tight = solve_probability_flow(prior, noise() * prior.sde.base_variance**0.5, 1.0, 1e-3, 1e-6)
    torch.testing.assert_close(few, tight.state, rtol=0, atol=1e-3)


@pytest.mark.parametrize("nodes", [[0.5], [0.9, 0.4], [1.5, 0.9, 0.4], [0.2, 0.9, 1.5, 2.0]])
def test_weights_integrate_polynomials_exactly(nodes):
    coefficients = np.array([0.7, -1.3, 0.9, 2.0])[: len(nodes)]
    weights = polynomial_weights(0.9, 0.2, np.array(nodes))
    found = sum(weight * np.polyval(coefficients, node) for weight, node in zip(weights, nodes, strict=True))
    primitive = np.polyint(coefficients)
    assert found == pytest.approx(np.polyval(primitive, 0.2) - np.polyval(primitive, 0.9), rel=1e-12)


@each_sde
@pytest.mark.parametrize("time_end", [1e-5, 0.3])
def test_places_are_equal_in_the_power_of_the_coordinate(name, time_end):
    sde = sde_named(name)
    x, times = few_step_times(sde, time_end, 7)
    assert times[0] == 1 and times[-1] == time_end and bool((times.diff() < 0).all())
    torch.testing.assert_close(normal_coordinate(sde, times), x, rtol=1e-9, atol=0)
    steps = (x ** (2 / 3)).diff()
    torch.testing.assert_close(steps, steps.mean().expand(7), rtol=1e-12, atol=0)


@each_method
@each_sde
def test_a_normal_prior_stands_still(name, method):
    prior = Mixed(name, 0.0, lambda z, time: torch.full_like(z, 7.0))
    latent = sample_prior(prior, noise(), settings(method, 4)).latent
    end = prior.sde.normal_variance(scalar(1e-3)) / prior.sde.normal_variance(scalar(1.0)) * prior.sde.base_variance
    torch.testing.assert_close(latent, noise().double() * end.sqrt(), rtol=1e-12, atol=0)


@each_method
def test_every_evaluation_is_counted(method):
    prior = Mixed("vpsde", 0.5, lambda z, time: z)
    assert sample_prior(prior, noise(), settings(method, 12)).nfe == prior.calls == 12


@each_method
def test_a_sample_does_not_depend_on_its_neighbours(method):
    prior = mixture_prior(sde_named("vpsde"), SHAPE, components=3, rank=2, alpha=0.4)
    together = sample_prior(prior, noise(5), settings(method, 8)).latent
    alone = sample_prior(prior, noise(5)[3:4], settings(method, 8)).latent
    torch.testing.assert_close(together[3:4], alone, rtol=0, atol=1e-10)


@each_method
def test_the_mix_makes_no_difference_to_the_solution(method):
    found = [
        sample_prior(mixture_prior(sde_named("geometric"), SHAPE, 3, 2, alpha), noise(), settings(method, count)).latent
        for alpha, count in ((0.2, 150), (1.0, 150))
    ]
    torch.testing.assert_close(*found, rtol=0, atol=1e-2 if METHODS[method][1] < 3 else 1e-3)


@each_method
def test_a_network_of_single_precision_has_a_state_of_double(method):
    assert sample_prior(SinglePrecisionPrior(), noise(), settings(method, 8)).latent.dtype == torch.float64


@each_method
@each_sde
def test_every_channel_has_its_own_share(name, method):
    prior = Mixed(name, 1.0, lambda z, time: torch.tanh(z))
    prior.alpha = torch.tensor([0.05, 0.9]).view(1, 2, 1, 1)
    start = noise() * prior.sde.base_variance**0.5
    tight = solve_probability_flow(prior, start, 1.0, 1e-3, 1e-6).state
    errors = (sample_prior(prior, noise(), settings(method, 60)).latent - tight).abs().amax(dim=(0, 2, 3))
    # Far from a Normal prior Heun's steps, of twice the length and lower order, are coarse.
    allowed = 0.02 if method == "multistep" else 0.15
    assert 0 < errors.max() < allowed * tight.std()


@each_method
def test_temperature_scales_the_start(method):
    prior = gaussian_prior("vesde")
    warm = sample_prior(prior, noise(), settings(method, 8, prior_temperature=0.5)).latent
    torch.testing.assert_close(warm, sample_prior(prior, noise() * 0.5, settings(method, 8)).latent)


@each_method
def test_evaluations_lie_between_start_and_end(method):
    times = []

    def network(z, time):
        times.append(time[0].item())
        return z

    sample_prior(Mixed("geometric", 0.5, network), noise(), settings(method, 8))
    assert times[0] == 1.0 and times == sorted(times, reverse=True)
    assert min(times) == 1e-3 if method == "heun" else min(times) > 1e-3


@each_method
def test_a_prediction_that_is_not_finite_is_named_by_its_time(method):
    prior = Mixed("vpsde", 0.5, lambda z, time: torch.where(time.view(-1, 1, 1, 1) < 0.4, torch.nan, z))
    with pytest.raises(SolverError, match="non-finite") as caught:
        sample_prior(prior, noise(), settings(method, 8))
    assert 0 < caught.value.time < 0.4


def test_impossible_numbers_of_evaluations():
    with pytest.raises(ValidationError, match="evaluations"):
        SampleConfig(solver="multistep", evaluations=1)
    with pytest.raises(ValidationError, match="evaluations = 9 is odd"):
        SampleConfig(solver="heun", evaluations=9)
    assert SampleConfig(solver="ode", evaluations=9).solver == "ode"


def test_the_settings_name_every_sampler():
    assert set(SampleConfig.model_fields["solver"].annotation.__args__) == set(SAMPLERS)
