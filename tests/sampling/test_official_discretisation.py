"""The ancestral sampler with an SDE that is not variance preserving, read as if it were: the authors' way."""

from __future__ import annotations

import pytest
import torch
from toy_gaussian import GaussianPrior, scalar, sde_named

from lsgm.config import ConfigError, PriorConfig, SampleConfig, SdeConfig
from lsgm.models.prior import MixedScorePrior
from lsgm.randomness import normal
from lsgm.sampling import sample_ancestral, sample_prior, step_table
from lsgm.sde import build_sde

SHAPE = (3, 4, 4)
TINY = PriorConfig(num_channels=8, channel_mult=(1, 1), num_cells_per_scale=1, embedding_dim=8)


def mixed_prior(name: str) -> MixedScorePrior:
    prior = MixedScorePrior(TINY, SHAPE, sde_named(name)).double().eval()
    for number, weight in enumerate(prior.network.parameters()):
        weight.data = 0.1 * normal(weight.shape, 2, "weights", number)
    prior.mixing_logit.data = torch.tensor([-5.0, -3.0, -2.0]).double()[None, :, None, None]
    return prior


def settings(**keys: object) -> SampleConfig:
    return SampleConfig(**{"solver": "ancestral", "num_steps": 12, "official_discretisation": True, **keys})


def noise_of(step: int) -> torch.Tensor:
    return normal((2, *SHAPE), step, "step").double()


@torch.no_grad()
def by_hand(prior: MixedScorePrior, config: SampleConfig) -> torch.Tensor:
    """The steps from abar = 1 - sigma^2 and the Normal part sigma z, in formulas of their own."""
    times = torch.arange(0, config.num_steps + 1, dtype=torch.float64) / config.num_steps
    bars = 1 - prior.sde.variance(times)
    bars[0] = 1
    z = noise_of(0)
    for n in range(config.num_steps, 0, -1):
        raw = prior.network(z, times[n].expand(2))
        eps = (1 - prior.alpha) * (1 - bars[n]).sqrt() * z + prior.alpha * raw
        alpha = bars[n] / bars[n - 1]
        z = (z - (1 - alpha) / (1 - bars[n]).sqrt() * eps) / alpha.sqrt()
        if n > 1:
            variance = 1 - alpha if config.step_variance == "beta" else (1 - alpha) * (1 - bars[n - 1]) / (1 - bars[n])
            z = z + variance.sqrt() * noise_of(n)
    return z.clamp(-3, 3)


@pytest.mark.parametrize("variance", ["beta", "beta_post"])
def test_sub_vpsde_takes_the_steps_of_a_vp_sde(variance):
    prior, config = mixed_prior("sub_vpsde"), settings(step_variance=variance)
    found = sample_prior(prior, noise_of(0), config, noise_of)
    torch.testing.assert_close(found.latent, by_hand(prior, config), rtol=1e-9, atol=1e-9)
    assert (found.latent.abs() < 3).double().mean() > 0.5 and found.nfe == 12


def test_normal_part_is_not_the_one_of_the_sub_vpsde(monkeypatch):
    """The SDE's own one, sigma z / Var(z), is up to a third larger, so the samples must differ."""
    prior = mixed_prior("sub_vpsde")
    official = sample_ancestral(prior, noise_of(0), settings(), noise_of).latent
    monkeypatch.setattr("lsgm.sampling.stochastic._variance_preserving_mix", lambda *arguments: 0.0)
    own = sample_ancestral(prior, noise_of(0), settings(), noise_of).latent
    assert (official - own).abs().max() > 0.05


@pytest.mark.parametrize("name", ["vpsde", "geometric"])
def test_nothing_changes_for_a_variance_preserving_sde(name):
    prior = mixed_prior(name)
    official, own = (
        sample_ancestral(prior, noise_of(0), settings(official_discretisation=switch), noise_of).latent
        for switch in (True, False)
    )
    assert torch.equal(official, own)
    torch.testing.assert_close(own, by_hand(prior, settings()), rtol=1e-9, atol=1e-9)


def test_table_of_the_sub_vpsde():
    """sigma^2 = (1 - a)^2: abar_n = 1 - (1 - exp(-B))^2 = a (2 - a)."""
    sde, n = sde_named("sub_vpsde"), torch.arange(1, 101, dtype=torch.float64)
    table = step_table(sde, 100, "beta")
    decay = torch.exp(-(0.1 * n / 100 + 0.5 * 19.9 * (n / 100) ** 2))
    torch.testing.assert_close(1 - table.variance, decay * (2 - decay), rtol=1e-10, atol=1e-14)
    torch.testing.assert_close((1 - table.beta).cumprod(0), decay * (2 - decay), rtol=1e-8, atol=0)


def test_prior_without_a_known_normal_part_is_taken_as_it_is():
    prior = GaussianPrior(sde_named("sub_vpsde"), torch.zeros(1, 1, 1, 1).double(), torch.ones(1, 1, 1, 1).double())
    start, zero = torch.full((1, 1, 1, 1), 0.7).double(), torch.zeros(1, 1, 1, 1)
    found = sample_ancestral(prior, start, settings(num_steps=2), lambda n: zero).latent
    z, variance = start, prior.sde.variance(torch.tensor([0.0, 0.5, 1.0]).double())
    alpha = (1 - variance[2]) / (1 - variance[1])
    z = (z - (1 - alpha) / variance[2].sqrt() * prior(z, scalar(1.0).reshape(1))) / alpha.sqrt()
    z = (z - variance[1].sqrt() * prior(z, scalar(0.5).reshape(1))) / (1 - variance[1]).sqrt()
    torch.testing.assert_close(found, z)


@pytest.mark.parametrize(
    "sde", [sde_named("vesde"), build_sde(SdeConfig(type="sub_vpsde", sigma2_0=0.5))], ids=["vesde", "sub_vpsde"]
)
def test_variances_that_give_no_steps_are_refused(sde):
    prior = GaussianPrior(sde, torch.zeros(1, *SHAPE), torch.ones(1, *SHAPE))
    with pytest.raises(ConfigError, match=r"sample\.solver = ancestral needs a variance that grows") as error:
        sample_ancestral(prior, noise_of(0), settings(), noise_of)
    assert "\n" not in str(error.value) and type(sde).__name__ in str(error.value)
