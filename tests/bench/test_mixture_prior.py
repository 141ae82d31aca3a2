from __future__ import annotations

import pytest
import torch
from torch.distributions import Categorical, LowRankMultivariateNormal, MixtureSameFamily, Normal
from toy_gaussian import SDE_CONFIGS, sde_named

from lsgm.bench.mixture_prior import mixture_prior

SHAPE = (2, 2, 2)


@pytest.mark.parametrize("name", SDE_CONFIGS)
@pytest.mark.parametrize("time", [0.02, 0.5, 1.0])
def test_prediction_is_the_gradient_of_the_density(name: str, time: float) -> None:
    sde = sde_named(name)
    prior = mixture_prior(sde, SHAPE, rank=3, alpha=0.1)
    z = prior.draw(range(5), 1, time).requires_grad_()
    (score,) = torch.autograd.grad(prior.log_prob(z, time).sum(), z)
    at = torch.full((5,), time, dtype=torch.float64)
    expected = -sde.variance(at).sqrt().view(-1, 1, 1, 1) * score
    torch.testing.assert_close(prior(z, at), expected, rtol=1e-9, atol=1e-11)
    mixed = prior.normal_coefficient(at) * z + prior.alpha * prior.network_prediction(z, at)
    torch.testing.assert_close(mixed, expected, rtol=1e-9, atol=1e-11)


def test_density_is_that_of_torchs_mixture() -> None:
    sde, time = sde_named("vpsde"), torch.tensor(0.2, dtype=torch.float64)
    prior, mean, variance = mixture_prior(sde, SHAPE, rank=3), sde.mean(time), sde.variance(time)
    factors = mean * prior.factors * prior.factor_variances.sqrt()
    spread = (mean**2 * prior.variance + variance).expand(8)
    components = LowRankMultivariateNormal(mean * prior.means.flatten(1), factors.expand(10, 8, 3), spread)
    exact = MixtureSameFamily(Categorical(prior.weights), components)
    z = prior.draw(range(4), 0, 0.2)
    torch.testing.assert_close(prior.log_prob(z, 0.2), exact.log_prob(z.flatten(1)))


def test_draws_have_the_density_they_say() -> None:
    prior = mixture_prior(sde_named("vpsde"), SHAPE, rank=3)
    draws = prior.draw(range(4000), 3, 0.3)
    # E_p[q / p] = 1 for any density q: here a normal that is wide enough to be covered by p.
    log_q = Normal(0.0, 0.3**0.5).log_prob(draws).flatten(1).sum(1)
    ratio = (log_q - prior.log_prob(draws, 0.3)).exp()
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / len(draws) ** 0.5
