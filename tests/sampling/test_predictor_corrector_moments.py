"""What predictor and corrector draw where the truth is known: moments of Gaussian data, a mixture."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from sampling.predictor_corrector_cases import each_sde, gaussian, noises, settings
from torch import Tensor
from toy_gaussian import CorrelatedPrior, GaussianPrior, sde_named

from lsgm.bench.mixture_prior import mixture_prior
from lsgm.randomness import normal
from lsgm.sampling import sample_prior
from lsgm.sampling.stochastic import langevin_step

# Gaussian data without a corrector: a linear sampler, whose moments need no draws.


def moments(prior: GaussianPrior, num_steps: int) -> Tensor:
    """Mean and variance of what comes out if z_1 is drawn from the true marginal: from responses to unit impulses."""
    config = settings(num_steps=num_steps, corrector_steps=0)
    scale = prior.sde.base_variance**-0.5
    mean, variance = prior.marginal(1.0)
    rows = num_steps + 1
    start = torch.zeros(rows, 1, 1, 1, dtype=torch.float64) + mean * scale
    start[1] += variance.sqrt().flatten() * scale

    def step_noise(number: int) -> Tensor:
        return torch.zeros(rows, 1, 1, 1).index_fill(0, torch.tensor([number]), 1.0)

    latent = sample_prior(prior, start, config, step_noise).latent.flatten()
    return torch.stack([latent[0], (latent[1:] - latent[0]).square().sum()])


@each_sde
def test_error_of_the_moments_falls_like_one_over_the_steps(name):
    prior = gaussian(name, 0.7, 0.36)
    exact = torch.cat(prior.marginal(1e-3)).flatten()
    errors = [(moments(prior, count) - exact).abs() for count in (400, 800, 1600)]
    assert errors[-1].max() < 0.01
    for coarse, fine in pairwise(errors):
        torch.testing.assert_close(coarse, 2 * fine, rtol=0.1, atol=1e-9)  # the mean of a VESDE is exact


# With a corrector.


def test_the_corrector_keeps_the_variance_that_it_should():
    """Data N(0, v I): R = |z|² / (v D) has E[1/R] (1 + r²) (1 + 2/D) = 1 where the corrector has settled."""
    shape, v, ratio, size = (1, 2, 5), 0.3, 0.3, 10
    z = normal((4000, *shape), 1, "start").double() * v**0.5
    inverse = []
    for number in range(200):
        z = langevin_step(z, -z / v, normal(z.shape, 2, "noise", number).double(), ratio)
        if number >= 50:
            inverse.append((v * size / z.square().sum((1, 2, 3))).mean().item())
    # 1/R has a standard deviation of 0.6: 4000 chains that forget in 1 / (4 r²) = 3 steps give 0.002.
    expected = 1 / ((1 + ratio**2) * (1 + 2 / size))
    assert sum(inverse) / len(inverse) == pytest.approx(expected, abs=0.006)


def test_the_corrector_in_many_dimensions():
    """Data N(0, diag(v)): with a step h common to all, the variances become v / (1 - h / 2v) (source: AR(1))."""
    v = torch.tensor([0.2, 1.0], dtype=torch.float64).repeat(1500).reshape(1, 30, 10, 10)
    z, ratio = normal((6, *v.shape[1:]), 1, "start").double() * v.sqrt(), 0.2
    found = []
    for number in range(300):
        z = langevin_step(z, -z / v, normal(z.shape, 2, "noise", number).double(), ratio)
        if number >= 100:
            found.append(z.square().mean(0).reshape(-1, 2).mean(0))
    expected, pair = torch.tensor([0.2, 1.0], dtype=torch.float64), torch.tensor([0.2, 1.0], dtype=torch.float64)
    for _ in range(100):
        h = 2 * ratio**2 / (expected / pair**2).mean()
        expected = pair / (1 - h / (2 * pair))
    # 9000 entries and 200 steps, which forget in 6 to 30: a standard error of 0.4 % of the slower variance at most.
    torch.testing.assert_close(torch.stack(found).mean(0), expected, rtol=0.012, atol=0)


@each_sde
def test_mean_and_covariance_of_gaussian_data(name):
    shape, count = (4, 4, 4), 1000
    basis = torch.linalg.qr(normal((64, 64), 1, "basis").double()).Q
    covariance = (basis * torch.linspace(0.3, 2.0, 64).double()) @ basis.T
    prior = CorrelatedPrior(sde_named(name), covariance, shape)
    config = settings(num_steps=100, corrector_snr=0.1)
    start = normal((count, *shape), 2, "start")
    white = torch.linalg.solve_triangular(
        torch.linalg.cholesky(prior.marginal(config.time_end)),
        sample_prior(prior, start, config, noises(start.shape)).latent.flatten(1).T,
        upper=False,
    ).T
    # Entries of the mean have standard error 1/√1000, those of the covariance that or √2 times it.
    assert white.mean(0).abs().max() < 4.5 / math.sqrt(count)
    error = white.T.cov() - torch.eye(64, dtype=torch.float64)
    assert (error - error.diagonal().mean() * torch.eye(64)).abs().max() < 5 * math.sqrt(2 / count)
    # Its mean has 0.006: what is above that is bias, of the steps and of the corrector (r² + 4/64).
    assert abs(error.diagonal().mean()) < 0.1


@each_sde
def test_the_corrector_pulls_a_wrong_predictor_towards_the_truth(name):
    """The predictor's noise is 1.5 times too large: the variance is twice the true one, and almost right after M."""
    prior = gaussian(name, 0.0, 0.36, (3, 8, 8))
    truth = prior.marginal(1e-3)[1].mean().item()
    errors = []
    for corrections in (0, 1, 5):
        config = settings(num_steps=60, corrector_steps=corrections)

        def wrong(number, period=corrections + 1):
            return normal((30, 3, 8, 8), 5, "step", number) * (1.5 if number % period == 0 else 1.0)

        latent = sample_prior(prior, normal((30, 3, 8, 8), 4, "start"), config, wrong).latent
        errors.append(latent.square().mean().item() / truth - 1)
    # 5760 entries: standard error 0.02.
    assert errors[0] > 0.8 and errors[1] < 0.6 * errors[0] and abs(errors[2]) < 0.2


def test_a_mixture_is_drawn_with_its_density_and_weights():
    prior = mixture_prior(sde_named("vpsde"), (4, 4, 4), components=3, rank=4)
    count, end = 500, 0.05
    config = settings(num_steps=120, time_end=end, corrector_snr=0.1)
    start = normal((count, 4, 4, 4), 1, "start")
    found = sample_prior(prior, start, config, noises(start.shape)).latent
    drawn = prior.draw(range(count), 3, end)
    # In 64 dimensions log p spreads by √32: each mean has the standard error 0.25, and a variance of 5 % too much
    # lowers it by 1.6.
    density, expected = prior.log_prob(found, end).mean(), prior.log_prob(drawn, end).mean()
    assert density.item() == pytest.approx(expected.item(), abs=1.5)
    means = 0.9 * normal((3, 64), 0, "mixture: means").double()
    weights = torch.softmax(0.3 * normal((3,), 0, "mixture: weights").double(), dim=0)
    shares = torch.cdist(found.flatten(1), means).argmin(1).bincount(minlength=3) / count
    assert (shares - weights).abs().max() < 0.09  # four standard errors
