from __future__ import annotations

import math

import pytest
import torch
from toy_gaussian import SDE_CONFIGS, sde_named

from lsgm.bench.mixture_prior import MixturePrior, mixture_prior

SHAPE = (2, 2, 2)


@pytest.mark.parametrize("name", SDE_CONFIGS)
@pytest.mark.parametrize("time", [0.02, 0.5, 1.0])
def test_prediction_is_the_gradient_of_the_density(name: str, time: float) -> None:
    sde = sde_named(name)
    prior = mixture_prior(sde, SHAPE, rank=3)
    z = prior.draw(range(5), 1, time).requires_grad_()
    (score,) = torch.autograd.grad(prior.log_prob(z, time).sum(), z)
    at = torch.full((5,), time, dtype=torch.float64)
    expected = -sde.variance(at).sqrt().view(-1, 1, 1, 1) * score
    torch.testing.assert_close(prior(z, at), expected, rtol=1e-9, atol=1e-11)


def test_density_of_one_component_is_torchs() -> None:
    sde = sde_named("vpsde")
    generator = torch.Generator().manual_seed(0)
    factors = torch.linalg.qr(torch.randn(8, 3, generator=generator, dtype=torch.float64)).Q
    mean = torch.randn(1, *SHAPE, generator=generator, dtype=torch.float64)
    stretch = torch.tensor([2.0, 1.0, 0.5], dtype=torch.float64)
    prior = MixturePrior(sde, mean, torch.ones(1, dtype=torch.float64), 0.3, factors, stretch)
    at = torch.tensor(0.2, dtype=torch.float64)
    covariance = 0.3 * torch.eye(8, dtype=torch.float64) + (factors * stretch) @ factors.T
    covariance = sde.mean(at) ** 2 * covariance + sde.variance(at) * torch.eye(8, dtype=torch.float64)
    exact = torch.distributions.MultivariateNormal(sde.mean(at) * mean.flatten(), covariance)
    z = torch.randn(4, *SHAPE, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(prior.log_prob(z, 0.2), exact.log_prob(z.flatten(1)))


def test_draws_have_the_density_they_say() -> None:
    prior = mixture_prior(sde_named("vpsde"), SHAPE, rank=3)
    draws = prior.draw(range(4000), 3, 0.3)
    # E_p[q / p] = 1 for any density q: here a normal that is wide enough to be covered by p.
    variance = 0.3
    log_q = (-0.5 * draws.square() / variance - 0.5 * math.log(2 * math.pi * variance)).flatten(1).sum(1)
    ratio = (log_q - prior.log_prob(draws, 0.3)).exp()
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / len(draws) ** 0.5


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_network_share_and_normal_share_make_the_whole(alpha: float) -> None:
    prior = mixture_prior(sde_named("geometric"), SHAPE, rank=3, alpha=alpha)
    at = torch.full((3,), 0.7, dtype=torch.float64)
    z = prior.draw(range(3), 0, 0.7)
    whole = prior.normal_coefficient(at) * z + prior.alpha * prior.network_prediction(z, at)
    torch.testing.assert_close(whole, prior(z, at))
