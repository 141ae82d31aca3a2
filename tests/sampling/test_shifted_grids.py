"""Every sample on a grid of its own: which one, what it changes, and that neighbours do not count."""

from __future__ import annotations

import pytest
import torch
from toy_gaussian import GaussianPrior, sde_named

from lsgm.bench.mixture_prior import mixture_prior
from lsgm.config import SampleConfig
from lsgm.randomness import normal, normal_rows
from lsgm.sampling import StepNoise, sample_prior
from lsgm.sampling.angle import angle
from lsgm.sampling.angle_grid import POWER, angle_grid
from lsgm.sampling.shifted_grids import COUNT, SHIFTS, grids_taken
from lsgm.sde import SDES

SHAPE = (2, 3, 3)


def step_noise(indices: range) -> StepNoise:
    return StepNoise(indices, lambda number: normal_rows(indices, SHAPE, 4, "step", number))


def settings(evaluations: int, **changes) -> SampleConfig:
    return SampleConfig(**{"solver": "multistep", "evaluations": evaluations, "time_end": 1e-3, **changes})


def noise(indices: range) -> torch.Tensor:
    return normal_rows(indices, SHAPE, 3, "noise")


def test_any_run_of_samples_takes_the_grids_in_equal_shares():
    for first in (0, 3, 1000):
        counts = grids_taken(range(first, first + 5 * COUNT)).bincount(minlength=COUNT)
        assert counts.tolist() == [5] * COUNT
    assert abs(sum(SHIFTS)) < 1e-12 and max(SHIFTS) < 0.5


@pytest.mark.parametrize("name", SDES)
@pytest.mark.parametrize("shift", [SHIFTS[0], SHIFTS[-1]])
def test_a_moved_grid_begins_and_ends_where_the_other_does(name, shift):
    sde = sde_named(name)
    plain, moved = (angle_grid(sde, 1e-5, 4, by) for by in (0.0, shift))
    finer = angle_grid(sde, 1e-5, 4 * 2 * COUNT).times
    steps = torch.arange(5) * 2 * COUNT
    steps[1:-1] += round(shift * 2 * COUNT)
    torch.testing.assert_close(moved.times, finer[steps], rtol=1e-9, atol=0)
    assert moved.times[0] == plain.times[0] and moved.times[-1] == plain.times[-1]
    assert bool((moved.times.diff() < 0).all())


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_sample_takes_its_own_grid_whoever_its_neighbours_are(order):
    prior = mixture_prior(sde_named("vpsde"), SHAPE, components=3, rank=2, alpha=0.4)
    config, all_of_them = settings(8, order=order), range(12)
    together = sample_prior(prior, noise(all_of_them), config, step_noise(all_of_them)).latent
    for index in (0, 5, 11):
        own = range(index, index + 1)
        alone = sample_prior(prior, noise(own), config, step_noise(own)).latent
        torch.testing.assert_close(together[own.start : own.stop], alone, rtol=0, atol=1e-10)
    shared = sample_prior(prior, noise(all_of_them), config).latent
    assert bool(((together - shared).abs().flatten(1).max(dim=1).values > 1e-4).all())


@pytest.mark.parametrize("name", SDES)
def test_the_error_still_falls_at_the_order(name):
    mean, variance = (normal((1, *SHAPE), 1, word).double() for word in ("mean", "variance"))
    prior, samples = GaussianPrior(sde_named(name), mean, 0.2 + variance**2), range(32)
    exact = prior.flow(noise(samples).double() * prior.sde.base_variance**0.5, 1.0, 1e-3)
    errors = [
        (sample_prior(prior, noise(samples), settings(count), step_noise(samples)).latent - exact).abs().max().item()
        for count in (64, 128)
    ]
    assert errors[1] < 5e-3 and errors[0] / errors[1] > 0.8 * 2**2


class Wavering:
    """A network that wavers along the way, as small trained ones do, at a pace that few steps do not resolve."""

    def __init__(self, waves: float) -> None:
        self.sde, self.alpha, self.waves = sde_named("vpsde"), torch.full((1, 1, 1, 1), 0.1), waves

    def network_prediction(self, z, time):
        first, now = ((-torch.log(torch.cos(angle(self.sde, t.double())))) ** POWER for t in (torch.ones(1), time))
        return torch.sin(2 * torch.pi * self.waves * (1 - now / first))[:, None, None, None].expand_as(z)

    __call__ = network_prediction


def test_errors_of_a_network_that_wavers_cancel():
    """From one noise on all grids: what their mean is off by, against what a grid that all share is."""
    prior = Wavering(waves=9.3)
    start = normal_rows(range(1), (1, 2, 2), 5, "start").expand(COUNT, 1, 2, 2)
    exact = sample_prior(prior, start[:1], settings(2000)).latent

    def bias(evaluations: int, step_noise: StepNoise | None) -> float:
        return (sample_prior(prior, start, settings(evaluations), step_noise).latent - exact).mean().item()

    spread = [bias(count, step_noise(range(COUNT))) for count in range(7, 13)]
    shared = [bias(count, None) for count in range(7, 13)]
    assert max(map(abs, spread)) < 0.5 * max(map(abs, shared))
