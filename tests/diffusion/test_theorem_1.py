"""Theorem 1: the denoising estimate is the cross entropy, for every SDE, weighting and time distribution."""

from __future__ import annotations

import math

import pytest
import torch
from diffusion.cases import CASES, REGISTERED, SAMPLERS, integrate, normal_error

from lsgm.objective import cross_entropy, cross_entropy_constant, denoising_error, prior_loss
from lsgm.sde import value_at
from lsgm.time_sampling import build_time_sampler


def normal_cross_entropy(variance, model_variance):
    """CE(N(0, variance) ‖ N(0, model_variance)) in nats."""
    return 0.5 * (math.log(2 * math.pi * model_variance) + variance / model_variance)


@pytest.mark.parametrize("latent_variance", [0.3, 1.0, 2.0])
@pytest.mark.parametrize(("name", "weighting", "time"), SAMPLERS)
def test_cross_entropy_of_normal_latents(name, weighting, time, latent_variance):
    """z_0 ~ N(0, s) under the standard normal prior: everything is known, the neglected end term included."""
    sde = CASES[name]
    sampler = build_time_sampler(sde, weighting, time)

    def estimate(rho):
        sample = sampler.sample(rho)
        error = normal_error(sde, sample.time, latent_variance)
        return cross_entropy(sde, error, sample.vae_weight)

    def diffused(t):
        latent_part = value_at(sde.mean, t) ** 2 * latent_variance
        return normal_cross_entropy(latent_part + value_at(sde.variance, t), value_at(sde.normal_variance, t))

    end_term = diffused(1.0) - 0.5 * (1 + math.log(2 * math.pi * value_at(sde.variance, 1.0)))
    assert integrate(estimate, 0.0, 1.0) + end_term == pytest.approx(diffused(sde.time_eps), abs=1e-8)


@pytest.mark.parametrize("name", ["vpsde", "geometric"])
def test_normal_latents_have_the_entropy_of_a_normal(name):
    sde = CASES[name]
    sampler = build_time_sampler(sde, "ll", "is")

    def estimate(rho):
        sample = sampler.sample(rho)
        return 5 * cross_entropy(sde, normal_error(sde, sample.time, 1.0), sample.vae_weight)

    # What is missing is the distance of q(z_1) from the base distribution.
    tolerance = 5 * (1e-3 if name == "geometric" else 5e-5)
    assert integrate(estimate, 0.0, 1.0) == pytest.approx(2.5 * math.log(2 * math.pi * math.e), abs=tolerance)


@pytest.mark.parametrize("name", REGISTERED)
def test_monte_carlo_estimate_of_a_batch(name):
    """As training does it: draw latents, noise and times, predict, square, weigh."""
    sde, count = REGISTERED[name], 100_000
    generator = torch.Generator().manual_seed(3)
    z0, noise = (torch.randn(count, 2, 1, 1, generator=generator) for _ in range(2))
    sample = build_time_sampler(sde, "ll", "is").sample(torch.rand(count, generator=generator))
    error = denoising_error(sde, sde.normal_prediction, z0, noise, sample.time)
    estimate = cross_entropy(sde, error, sample.vae_weight).sum(dim=(1, 2, 3))
    end_term = math.log(value_at(sde.normal_variance, 1.0) / value_at(sde.variance, 1.0))
    expected = 2 * normal_cross_entropy(
        value_at(sde.mean, sde.time_eps) ** 2 + value_at(sde.variance, sde.time_eps),
        value_at(sde.normal_variance, sde.time_eps),
    )
    standard_error = estimate.std().item() / math.sqrt(count)
    assert standard_error < 0.05
    assert estimate.mean().item() + end_term == pytest.approx(expected, abs=5 * standard_error)


def test_prior_loss_is_the_cross_entropy_without_its_constant():
    sde = CASES["vpsde"]
    error = torch.rand(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    weight = torch.tensor([1.0, 2.0, 30.0, 0.5])
    total = cross_entropy(sde, error, weight).sum(dim=(1, 2, 3))
    expected = (total - 12 * cross_entropy_constant(sde)).mean()
    torch.testing.assert_close(prior_loss(error, weight), expected, rtol=1e-5, atol=1e-5)


def test_gradient_reaches_the_latents_and_the_prior():
    sde = CASES["vpsde"]
    generator = torch.Generator().manual_seed(5)
    z0, noise = (torch.randn(3, 2, 2, 2, generator=generator, dtype=torch.float64) for _ in range(2))
    z0.requires_grad_()
    slope = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    t = torch.tensor([0.1, 0.4, 0.9], dtype=torch.float64)

    def prior(z, time):
        assert time is t
        return slope * z

    error = denoising_error(sde, prior, z0, noise, t)
    mean, scale = (value.reshape(3, 1, 1, 1) for value in (sde.mean(t), sde.variance(t).sqrt()))
    z = mean * z0 + scale * noise
    residual = noise - slope * z
    torch.testing.assert_close(error, residual.square())
    by_latents, by_slope = torch.autograd.grad(error.sum(), (z0, slope))
    torch.testing.assert_close(by_latents, -2 * residual * slope * mean)
    torch.testing.assert_close(by_slope, (-2 * residual * z).sum())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_widened(dtype):
    z0, noise = (torch.randn(2, 4, generator=torch.Generator().manual_seed(seed)).to(dtype) for seed in (0, 1))
    t = torch.tensor([0.2, 0.99])
    error = denoising_error(CASES["vpsde"], lambda z, time: z.to(dtype), z0, noise, t)
    assert error.dtype == torch.float32
    assert cross_entropy(CASES["vpsde"], error, t).dtype == torch.float32
    assert prior_loss(error.to(dtype), t).dtype == torch.float32


def test_non_finite_predictions_stay_visible():
    z0 = noise = torch.ones(1, 3)
    t = torch.tensor([0.5])
    error = denoising_error(CASES["vpsde"], lambda z, time: z * math.nan, z0, noise, t)
    assert cross_entropy(CASES["vpsde"], error, t).isnan().all()
