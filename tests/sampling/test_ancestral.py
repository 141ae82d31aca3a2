from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from toy_gaussian import GaussianPrior, scalar, sde_named

from lsgm.config import ConfigError, SampleConfig
from lsgm.randomness import normal
from lsgm.sampling import SAMPLERS, SolverError, sample_ancestral, sample_prior

VP_SDES = ("vpsde", "geometric")
VARIANCES = ("beta", "beta_post")


def constant(value: float, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.full(shape, value, dtype=torch.float64)


def settings(**keys) -> SampleConfig:
    return SampleConfig(**{"solver": "ancestral", "num_steps": 100, **keys})


def test_registry_names_are_those_of_the_settings():
    assert set(SAMPLERS) == set(get_args(SampleConfig.model_fields["solver"].annotation))


@pytest.mark.parametrize("name", VP_SDES)
@pytest.mark.parametrize("choice", VARIANCES)
def test_mean_of_gaussian_data_is_carried_exactly(name, choice):
    """The DDPM mean is E[z_{n-1} | z_n], linear for Gaussian data: from E[z_T] it ends at the data's mean.

    The discretised process starts from a latent that is 1 / sqrt(1 - sigma2_0) larger, since abar_n = 1 - sigma^2.
    """
    mean, variance = constant(1.3, (1, 2, 1, 1)), constant(0.4, (1, 2, 1, 1))
    prior = GaussianPrior(sde_named(name), mean, variance)
    start = prior.marginal(1.0)[0].expand(3, 2, 1, 1)
    samples = sample_ancestral(prior, start, settings(step_variance=choice), lambda n: torch.zeros_like(start))
    expected = mean / math.sqrt(1 - prior.sde.sigma2_0)
    torch.testing.assert_close(samples.latent, expected.expand(3, 2, 1, 1), rtol=0, atol=1e-9)
    assert samples.nfe == prior.calls == 100


@pytest.mark.parametrize("name", VP_SDES)
def test_normal_data_keep_unit_variance_at_every_step(name):
    """For N(0, I) data z_{n-1} = sqrt(alpha_n) z_n + sqrt(beta_n) noise, and the last step multiplies by m_1."""
    prior = GaussianPrior(sde_named(name), constant(0.0, (1, 1, 1, 1)), constant(1.0, (1, 1, 1, 1)))
    prior.variance = prior.variance - (prior.sde.sigma2_0 or 0.0)
    noises = {n: normal((50, 1, 1, 1), n, "step").double() for n in range(2, 101)}
    start = normal((50, 1, 1, 1), 0, "start").double() * 0.3
    samples = sample_ancestral(prior, start, settings(prior_temperature=0.3), noises.__getitem__)

    variance = prior.sde.variance(torch.arange(0, 101, dtype=torch.float64) / 100)
    z = start * 0.3
    for n in range(100, 1, -1):
        alpha = (1 - variance[n]) / (1 - variance[n - 1])
        z = alpha.sqrt() * z + 0.3 * (1 - alpha).sqrt() * noises[n]
    expected = (1 - variance[1]).sqrt() * z
    torch.testing.assert_close(samples.latent, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", VP_SDES)
@pytest.mark.parametrize("choice", VARIANCES)
def test_moments_of_gaussian_data(name, choice):
    mean, variance = constant(0.5, (1, 1, 1, 1)), constant(0.36, (1, 1, 1, 1))
    prior = GaussianPrior(sde_named(name), mean, variance)
    shape = (20_000, 1, 1, 1)
    samples = sample_prior(
        prior, normal(shape, 1, "start"), settings(num_steps=300, step_variance=choice), lambda n: normal(shape, n, "s")
    )
    assert samples.latent.mean().item() == pytest.approx(0.5, abs=0.02)
    assert samples.latent.std().item() == pytest.approx(0.6, abs=0.03)


def test_point_mass_is_recovered_with_posterior_noise():
    prior = GaussianPrior(sde_named("vpsde"), constant(-0.8, (1, 1, 2, 2)), constant(0.0, (1, 1, 2, 2)))
    noise = normal((4, 1, 2, 2), 1, "start")
    samples = sample_ancestral(prior, noise, settings(step_variance="beta_post"), lambda n: normal(noise.shape, n, "s"))
    torch.testing.assert_close(samples.latent, constant(-0.8, (4, 1, 2, 2)), rtol=0, atol=1e-9)


def test_noise_is_asked_for_once_per_step_and_not_at_the_last():
    asked = []

    def step_noise(n):
        asked.append(n)
        return torch.zeros(1, 1, 1, 1)

    prior = GaussianPrior(sde_named("vpsde"), constant(0.0, (1, 1, 1, 1)), constant(1.0, (1, 1, 1, 1)))
    sample_ancestral(prior, torch.zeros(1, 1, 1, 1), settings(num_steps=5), step_noise)
    assert asked == [5, 4, 3, 2]


def test_result_is_clamped():
    prior = GaussianPrior(sde_named("vpsde"), constant(7.0, (1, 1, 1, 1)), constant(0.01, (1, 1, 1, 1)))
    samples = sample_ancestral(prior, torch.zeros(2, 1, 1, 1), settings(), lambda n: torch.zeros(2, 1, 1, 1))
    assert samples.latent.tolist() == constant(3.0, (2, 1, 1, 1)).tolist()


@pytest.mark.parametrize("name", ["sub_vpsde", "vesde"])
def test_other_kernels_are_refused(name):
    prior = GaussianPrior(sde_named(name), constant(0.0, (1, 1, 1, 1)), constant(1.0, (1, 1, 1, 1)))
    with pytest.raises(ConfigError, match=r"sample\.solver"):
        sample_prior(prior, torch.zeros(1, 1, 1, 1), settings(), lambda n: torch.zeros(1, 1, 1, 1))


def test_step_noise_is_required():
    prior = GaussianPrior(sde_named("vpsde"), constant(0.0, (1, 1, 1, 1)), constant(1.0, (1, 1, 1, 1)))
    with pytest.raises(ValueError, match="step_noise"):
        sample_ancestral(prior, torch.zeros(1, 1, 1, 1), settings(), None)


def test_non_finite_latents_are_an_error():
    class Broken:
        sde = sde_named("vpsde")

        def __call__(self, z, t):
            return z * (math.nan if t[0] <= 0.5 else 1.0)

    zeros = torch.zeros(1, 1, 1, 1)
    with pytest.raises(SolverError) as raised:
        sample_ancestral(Broken(), zeros, settings(), lambda n: zeros)
    assert raised.value.time == pytest.approx(float(scalar(0.5)))
