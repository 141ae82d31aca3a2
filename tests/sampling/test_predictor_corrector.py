"""Predictor-corrector sampling: its formulas, its draws and their numbers, and what any sampler owes."""

from __future__ import annotations

import math

import pytest
import torch
from sampling.predictor_corrector_cases import SHAPE, each_sde, gaussian, noises, settings
from single_precision_prior import SinglePrecisionPrior
from torch import Tensor
from toy_gaussian import sde_named

from lsgm.randomness import normal, normal_rows
from lsgm.sampling import SolverError, reverse_steps, sample_predictor_corrector, sample_prior


class Wavy:
    """A prediction that is not linear; counts its calls."""

    def __init__(self, name: str) -> None:
        self.sde, self.calls = sde_named(name), 0

    def __call__(self, z: Tensor, time: Tensor) -> Tensor:
        self.calls += 1
        return torch.tanh(z) * time.reshape(-1, 1, 1, 1)


@each_sde
def test_constants_are_those_of_the_sde_to_first_order(name):
    sde = sde_named(name)
    steps = reverse_steps(sde, 20_000, 1e-3)[1000::2000]
    width = (1 - 1e-3) / 20_000
    middle = torch.tensor([step.time - width / 2 for step in steps], dtype=torch.float64)
    decay, variance = torch.tensor([(step.decay, step.variance) for step in steps], dtype=torch.float64).T
    torch.testing.assert_close((decay - 1) / width, sde.drift(middle), rtol=1e-3, atol=1e-9)
    torch.testing.assert_close(variance / width, sde.diffusion_squared(middle), rtol=1e-3, atol=0)


@each_sde
def test_constants_are_an_exact_transition_and_never_explode(name):
    for num_steps in (2, 1000):
        steps = reverse_steps(sde_named(name), num_steps, 1e-5)
        assert steps[-1].time == 1 and len(steps) == num_steps
        assert all(0 < step.decay <= 1 and 0 < step.variance <= step.deviation**2 for step in steps)
        composed = sde_named(name).variance(torch.tensor(1e-5, dtype=torch.float64)).item()
        for step in steps:
            composed = step.decay**2 * composed + step.variance
            assert composed == pytest.approx(step.deviation**2, rel=1e-9)


@pytest.mark.parametrize("corrections", [0, 2])
@pytest.mark.parametrize("name", ["vpsde", "geometric", "vesde"])
def test_steps_are_those_of_the_source(name, corrections):
    """Algorithms 2 to 5 in formulas of their own, for one sample, whose batch means are its own norms."""
    prior, shape, count, r = Wavy(name), (1, *SHAPE), 12, 0.2
    times = torch.linspace(1e-3, 1, count + 1, dtype=torch.float64)
    variance = prior.sde.variance(times)
    alpha_bar = prior.sde.mean(times) ** 2
    draw = noises(shape, 4)
    x = normal(shape, 3, "start").double() * prior.sde.base_variance**0.5
    for n in range(count, 0, -1):
        beta = 1 - alpha_bar[n] / alpha_bar[n - 1]
        alpha = 1.0 if name == "vesde" else 1 - beta

        def score(x, n=n):
            return -prior(x, times[n].reshape(1)) / variance[n].sqrt()

        for k in range(corrections):
            z = draw(n * (corrections + 1) + k + 1).double()
            epsilon = 2 * alpha * (r * z.norm() / score(x).norm()) ** 2
            x = x + epsilon * score(x) + (2 * epsilon).sqrt() * z
        z = draw(n * (corrections + 1)).double() if n > 1 else torch.zeros(shape)
        if name == "vesde":
            growth = variance[n] - variance[n - 1]
            x = x + growth * score(x) + growth.sqrt() * z
        else:
            x = (2 - (1 - beta).sqrt()) * x + beta * score(x) + beta.sqrt() * z
    config = settings(num_steps=count, corrector_steps=corrections, corrector_snr=r)
    found = sample_prior(Wavy(name), normal(shape, 3, "start"), config, draw)
    torch.testing.assert_close(found.latent, x, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("corrections", [0, 1, 3])
def test_noises_have_numbers_of_their_own_and_evaluations_are_counted(corrections):
    prior, asked = Wavy("vpsde"), []

    def step_noise(number: int) -> Tensor:
        asked.append(number)
        return normal((2, *SHAPE), number, "step")

    found = sample_prior(prior, normal((2, *SHAPE), 0, "s"), settings(corrector_steps=corrections), step_noise)
    assert len(set(asked)) == len(asked) == 20 * (1 + corrections) - 1
    predictions = [number for number in asked if number % (corrections + 1) == 0]
    assert predictions == [n * (corrections + 1) for n in range(20, 1, -1)]
    assert found.nfe == prior.calls == 20 * (1 + corrections) and found.nfe_per_sample == found.nfe


@each_sde
def test_a_sample_does_not_depend_on_its_neighbours(name):
    prior = gaussian(name, 0.4, 0.5, SHAPE)
    start = normal_rows(range(4), SHAPE, 1, "start")

    def step_noise(number: int) -> Tensor:
        return normal_rows(range(4), SHAPE, 2, "step", number)

    together = sample_prior(prior, start * torch.tensor([1.0, 50.0, 1.0, 1.0]).view(4, 1, 1, 1), settings(), step_noise)
    alone = sample_prior(prior, start[2:3], settings(), lambda number: step_noise(number)[2:3])
    torch.testing.assert_close(together.latent[2:3], alone.latent, rtol=0, atol=1e-12)


@each_sde
def test_a_temperature_scales_every_noise(name):
    """For centred Gaussian data all that comes out is proportional to what goes in."""
    prior, start = gaussian(name, 0.0, 0.5, SHAPE), normal((3, *SHAPE), 1, "start")
    cold = sample_prior(prior, start, settings(prior_temperature=0.4), noises(start.shape)).latent
    usual = sample_prior(prior, start, settings(), noises(start.shape)).latent
    torch.testing.assert_close(cold, 0.4 * usual, rtol=1e-9, atol=1e-12)


def test_latents_are_not_clamped():
    prior = gaussian("vpsde", 7.0, 0.01, SHAPE)
    latent = sample_prior(prior, normal((3, *SHAPE), 1, "start"), settings(num_steps=200), noises((3, *SHAPE))).latent
    assert latent.mean().item() == pytest.approx(7.0, abs=0.1)


def test_a_network_of_single_precision_has_a_state_of_double():
    found = sample_prior(SinglePrecisionPrior(), normal((3, *SHAPE), 1, "start"), settings(), noises((3, *SHAPE)))
    assert found.latent.dtype == torch.float64 and not found.latent.requires_grad


def test_step_noise_is_required():
    with pytest.raises(ValueError, match="step_noise"):
        sample_predictor_corrector(Wavy("vpsde"), torch.zeros(1, *SHAPE), settings(), None)


@pytest.mark.parametrize("corrections", [0, 1])
def test_non_finite_latents_are_named_by_their_time(corrections):
    class Broken:
        sde = sde_named("vpsde")

        def __call__(self, z, time):
            return z * (math.nan if time[0] <= 0.5 else 1.0)

    config = settings(num_steps=10, time_end=1e-5, corrector_steps=corrections)
    with pytest.raises(SolverError, match="non-finite latent") as raised:
        sample_prior(Broken(), normal((1, *SHAPE), 1, "start"), config, noises((1, *SHAPE)))
    assert raised.value.time == pytest.approx(0.4, abs=1e-4)


def test_a_score_of_zero_gives_no_step_and_is_not_hidden():
    class Flat:
        sde = sde_named("vpsde")

        def __call__(self, z, time):
            return torch.zeros_like(z)

    with pytest.raises(SolverError, match=r"t = 1: non-finite"):
        sample_prior(Flat(), normal((1, *SHAPE), 1, "start"), settings(), noises((1, *SHAPE)))
