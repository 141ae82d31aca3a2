"""The likelihood with a new trace probe at every call, the authors' way."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from toy_gaussian import CorrelatedPrior, GaussianPrior, sde_named
from toy_vae import LinearVae, ToyModel, toy_config, toy_images

from lsgm.config import NelboConfig
from lsgm.evaluation import draw_probes, evaluate_nelbo, official_prior_log_prob, prior_log_prob
from lsgm.randomness import normal
from lsgm.sampling import SolverError
from lsgm.sde import SDES

SHAPE = (1, 2, 2)


def correlated(name: str) -> CorrelatedPrior:
    root = normal((4, 4), 1, "root").double()
    return CorrelatedPrior(sde_named(name), root @ root.T * 0.3 + 0.3 * torch.eye(4, dtype=torch.float64), SHAPE)


def settings(**keys) -> NelboConfig:
    return NelboConfig(**{"tol": 1e-2, "time_end": 1e-5, **keys})


@pytest.mark.parametrize("name", SDES)
def test_unbiased_and_dearer_than_a_fixed_probe(name):
    count = 250
    prior, latent = correlated(name), normal(SHAPE, 1, "latent").double().expand(count, *SHAPE)
    fresh = official_prior_log_prob(prior, latent, range(count), settings(tol=3e-3), 1)
    error = fresh.log_prob.std() / math.sqrt(count)
    assert 1e-3 < error < 0.1
    assert abs(fresh.log_prob.mean() - prior.log_prob(latent[:1], 1e-5).item()) < 5 * error
    probes = draw_probes(range(count), SHAPE, "gaussian", 1, 1)
    assert fresh.nfe > 1.5 * prior_log_prob(prior, latent, probes, settings(tol=3e-3)).nfe


def test_nothing_of_the_trace_is_known():
    """Even f(t) I is estimated: a prior whose Jacobian is a multiple of I gives values that scatter."""
    prior = GaussianPrior(sde_named("vpsde"), torch.zeros(1, *SHAPE).double(), torch.full((1, *SHAPE), 0.2).double())
    prior.normal_coefficient = lambda t: pytest.fail("the known part must not be asked for")
    log_prob = official_prior_log_prob(prior, torch.zeros(20, *SHAPE), range(20), settings(), 1).log_prob
    assert log_prob.dtype == torch.float64 and log_prob.std() > 0.01


def euler(rhs, state, start, end, tol):
    times = torch.linspace(start, end, 21, dtype=state[0].dtype)
    for time, following in pairwise(times):
        state = tuple(part + (following - time) * slope for part, slope in zip(state, rhs(time, state), strict=True))
    return state, 20


def test_draws_belong_to_image_and_call_at_any_batch_size(monkeypatch):
    """On a fixed grid of times, where the batch has no say in the steps, the estimate is that of the image alone."""
    monkeypatch.setattr("lsgm.evaluation.official_probes.integrate", euler)
    prior, latent = correlated("vpsde"), normal(SHAPE, 1, "latent").double().expand(5, *SHAPE)
    config = settings(time_end=0.1)
    together = official_prior_log_prob(prior, latent, [3, 4, 3, 0, 1], config, 1).log_prob
    single = [official_prior_log_prob(prior, latent[:1], [index], config, 1).log_prob for index in (3, 4)]
    torch.testing.assert_close(together[:2], torch.cat(single), rtol=1e-12, atol=1e-12)
    assert together[0] == together[2] and len(set(together.tolist())) == 4
    assert not torch.allclose(together, official_prior_log_prob(prior, latent, [3, 4, 3, 0, 1], config, 2).log_prob)


def test_every_call_and_every_solve_has_its_own_probe(monkeypatch):
    drawn = []

    def normal_rows(indices, shape, seed, purpose, *index):
        drawn.append(index)
        return torch.ones(len(indices), *shape)

    monkeypatch.setattr("lsgm.evaluation.official_probes.normal_rows", normal_rows)
    prior, latent = correlated("vpsde"), normal((3, *SHAPE), 1, "latent")
    result = official_prior_log_prob(prior, latent, range(3), settings(num_probes=2), 1)
    half = len(drawn) // 2
    assert result.nfe == half and drawn == [(solve, call) for solve in (0, 1) for call in range(half)]


def test_solves_are_averaged():
    prior, latent = correlated("vpsde"), normal(SHAPE, 1, "latent").double().expand(100, *SHAPE)
    one, four = (
        official_prior_log_prob(prior, latent, range(100), settings(num_probes=count), 1).log_prob.std()
        for count in (1, 4)
    )
    assert four.item() == pytest.approx(one.item() / 2, rel=0.3)


@pytest.mark.parametrize("official", [True, False])
def test_switch_of_the_nelbo(official):
    mean, variance = torch.full((1, 2, 1, 2), 0.4).double(), torch.full((1, 2, 1, 2), 0.5).double()
    images = toy_images(1).expand(30, -1, -1, -1)
    results = []
    for probe in ("gaussian", "rademacher"):
        model = ToyModel(LinearVae(), GaussianPrior(sde_named("vpsde"), mean, variance))
        settings = {"solver": "adaptive", "official_probes": official, "probe": probe}
        config = toy_config(tol=1e-2, time_end=1e-3, **settings)
        results.append(evaluate_nelbo(model, images, config, 1, torch.device("cpu")))
        assert results[-1].nfe_mean == model.prior.calls
    first, second = results
    assert torch.equal(first.per_image, second.per_image) == official, "the switch means Gaussian probes"
    assert abs(first.mean_nats - second.mean_nats) < 5 * (first.stderr_nats + second.stderr_nats)


def test_failure_is_typed():
    prior = correlated("vpsde")
    prior.covariance = prior.covariance * math.nan
    with pytest.raises(SolverError):
        official_prior_log_prob(prior, torch.zeros(1, *SHAPE), [0], settings(), 1)
