from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from toy_gaussian import GaussianPrior, scalar, sde_named

from lsgm.config import ConfigError, SampleConfig
from lsgm.evaluation import discretised_elbo
from lsgm.randomness import normal
from lsgm.sampling import NumericalError, step_table

SHAPE = (2, 2, 2)
VP_SDES = ("vpsde", "geometric")
VARIANCES = ("beta", "beta_post")


def gaussian_prior(name: str) -> GaussianPrior:
    mean = normal((1, *SHAPE), 1, "mean").double()
    return GaussianPrior(sde_named(name), mean, 0.3 + normal((1, *SHAPE), 1, "variance").double() ** 2)


def closed_forms(prior: GaussianPrior, z0: Tensor, config: SampleConfig) -> tuple[Tensor, Tensor]:
    """The bound and -log p(z_0) of the discrete model, (B,): its steps are affine, so that its latents are Gaussian."""
    table = step_table(prior.sde, config.num_steps, config.step_variance)
    mean, variance = torch.zeros_like(prior.mean), torch.ones_like(prior.mean)
    bar = 1 - table.variance[-1]
    bound = 0.5 * (bar * z0**2 - bar - (1 - bar).log())
    for n in range(config.num_steps, 0, -1):
        sigma2, beta, step = (part[n - 1] for part in (table.variance, table.beta, table.noise_variance))
        m, sigma = prior.sde.mean(scalar(n / config.num_steps)), sigma2.sqrt()
        slope = sigma / (m**2 * prior.variance + sigma2)  # eps_theta = slope * (z - m * mean)
        # E |z_{n-1} - model's mean|^2 under q(z_{n-1}, z_n | z_0), from its two parts.
        error = (1 - slope * sigma) ** 2 + slope**2 * ((1 - sigma2).sqrt() * z0 - m * prior.mean) ** 2
        spread = beta**2 / (sigma2 * (1 - beta)) * error
        if n == 1:
            bound = bound + 0.5 * (spread / step + (2 * math.pi * step).log())
        else:
            posterior = beta * table.variance[n - 2] / sigma2
            bound = bound + 0.5 * ((posterior + spread) / step - 1 + (step / posterior).log())
        gain = (1 - beta / sigma * slope) / (1 - beta).sqrt()
        mean = gain * mean + beta / sigma * slope * m * prior.mean / (1 - beta).sqrt()
        variance = gain**2 * variance + step
    exact = 0.5 * (z0 - mean) ** 2 / variance + 0.5 * (2 * math.pi * variance).log()
    return bound.flatten(1).sum(1), exact.flatten(1).sum(1)


def latents(prior: GaussianPrior, count: int) -> Tensor:
    return prior.mean + prior.variance.sqrt() * normal((count, *SHAPE), 1, "latent").double()


@pytest.mark.parametrize("name", VP_SDES)
@pytest.mark.parametrize("choice", VARIANCES)
def test_estimate_is_unbiased_for_the_closed_form(name, choice):
    prior, config = gaussian_prior(name), SampleConfig(num_steps=60, step_variance=choice)
    z0 = latents(prior, 1).expand(300, *SHAPE)
    expected = closed_forms(prior, z0[:1], config)[0].item()
    for steps in (None, 7):
        estimate = discretised_elbo(prior, z0, range(300), config, 1, steps)
        assert estimate.dtype == torch.float64 and estimate.shape == (300,)
        error = estimate.std().item() / math.sqrt(300)
        assert abs(estimate.mean().item() - expected) < 5 * error
        assert error < 0.05 * abs(expected)
    assert prior.calls == 67


@pytest.mark.parametrize("name", VP_SDES)
def test_bound_lies_above_the_likelihood_and_close_to_it(name):
    prior, config = gaussian_prior(name), SampleConfig(num_steps=1000)
    z0 = latents(prior, 40)
    bound, exact = closed_forms(prior, z0, config)
    assert (bound > exact).all() and (bound - exact).max() < 1e-3 * z0[0].numel()
    data = torch.distributions.Normal(prior.mean, prior.variance.sqrt()).log_prob(z0).flatten(1).sum(1)
    assert (exact + data).mean() < 1e-2, "the discrete model is close to the data it was made for"
    estimate = discretised_elbo(prior, z0, range(40), config, 1)
    error = (estimate - bound).std() / math.sqrt(40)
    assert abs((estimate - bound).mean()) < 5 * error and error < 0.8


@pytest.mark.parametrize("name", VP_SDES)
def test_bound_of_the_normal_prior_is_its_cross_entropy(name):
    """For p = q = N(0, I) the mean over z_0 is D ln(2 pi e) / 2 in the limit of many steps."""
    prior = GaussianPrior(sde_named(name), torch.zeros(1, *SHAPE).double(), torch.ones(1, *SHAPE).double())
    z0 = normal((400, *SHAPE), 1, "latent").double()
    z0 = (z0 - z0.mean()) / z0.std()
    bound = discretised_elbo(prior, z0, range(400), SampleConfig(num_steps=1000), 1, 50)
    expected = 4 * math.log(2 * math.pi * math.e)
    error = bound.std().item() / 20
    assert abs(bound.mean().item() - expected) < 5 * error + 1e-2 and error < 0.04 * expected


def test_steps_of_an_image():
    """Each once, or some of them, in proportion to their share in the bound for standard normal latents."""
    seen = []

    class Recorder(GaussianPrior):
        def __call__(self, z, t):
            seen.append((t * 10).round().long())
            return super().__call__(z, t)

    base = gaussian_prior("vpsde")
    prior, config = Recorder(base.sde, base.mean, base.variance), SampleConfig(num_steps=10)
    z0 = latents(prior, 1).expand(2000, *SHAPE)
    discretised_elbo(prior, z0[:3], range(3), config, 1)
    assert torch.equal(torch.stack(seen, 1), torch.arange(1, 11).expand(3, 10))
    seen.clear()
    discretised_elbo(prior, z0, range(2000), config, 1, 3)
    table = step_table(prior.sde, 10, "beta")
    shares = table.beta / (1 - table.beta) * (1 - table.variance) / table.variance  # beta^2 / (alpha s^2 sigma^2)
    expected = 3 * 2000 * shares / shares.sum()
    steps = torch.stack(seen, 1)
    counts = torch.bincount(steps.flatten(), minlength=11)[1:]
    assert ((counts - expected).abs() < 5 * expected.sqrt() + 1).all()
    assert (steps.diff(dim=1) >= 0).all() and not torch.equal(steps[0], steps[1])


def test_estimate_belongs_to_the_image():
    prior, config = gaussian_prior("vpsde"), SampleConfig(num_steps=20)
    z0 = latents(prior, 4)
    every = discretised_elbo(prior, z0, [5, 6, 7, 8], config, 1, 4)
    some = discretised_elbo(prior, z0[[2, 0]], [7, 5], config, 1, 4)
    torch.testing.assert_close(some, every[[2, 0]], rtol=1e-12, atol=0)
    assert not torch.allclose(every, discretised_elbo(prior, z0, [5, 6, 7, 8], config, 2, 4))


@pytest.mark.parametrize("name", ["sub_vpsde", "vesde"])
def test_other_kernels_are_refused(name):
    with pytest.raises(ConfigError, match="variance-preserving") as error:
        discretised_elbo(gaussian_prior(name), torch.zeros(1, *SHAPE), [0], SampleConfig(), 1)
    assert "\n" not in str(error.value)


def test_wrong_number_of_steps_and_non_finite_values():
    prior, config = gaussian_prior("vpsde"), SampleConfig(num_steps=10)
    with pytest.raises(ValueError, match="at least one step"):
        discretised_elbo(prior, torch.zeros(1, *SHAPE), [0], config, 1, 0)
    prior.mean = prior.mean * math.nan
    with pytest.raises(NumericalError, match="discretised ELBO"):
        discretised_elbo(prior, torch.zeros(1, *SHAPE), [0], config, 1)
