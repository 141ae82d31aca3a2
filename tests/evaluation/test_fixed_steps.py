"""log p(z_0) in fixed steps, against closed forms: its two errors, and what it says of them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from toy_gaussian import CorrelatedPrior, GaussianPrior, sde_named

from lsgm.bench.mixture_prior import mixture_prior
from lsgm.config import NelboConfig
from lsgm.evaluation import change_by_halving, draw_probes, fixed_step_log_prob, prior_log_prob, solve_in_steps
from lsgm.randomness import normal
from lsgm.sampling import SolverError
from lsgm.sde import SDES

SHAPE = (1, 2, 2)
ALL_SIGNS = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * 4).reshape(16, 1, *SHAPE)


def exact(prior, latent, steps: int):
    """Solve with all sign vectors of four dimensions, whose mean of n^T J n is the trace."""
    return solve_in_steps(prior, latent, 1e-5, steps, lambda evaluation: ALL_SIGNS.expand(16, *latent.shape))


def correlated(name: str) -> CorrelatedPrior:
    root = normal((4, 4), 1, "root").double()
    return CorrelatedPrior(sde_named(name), root @ root.T * 0.3 + 0.3 * torch.eye(4, dtype=torch.float64), SHAPE)


def settings(**keys) -> NelboConfig:
    return NelboConfig(**{"num_steps": 20, **keys})


@pytest.mark.parametrize("name", SDES)
def test_error_of_the_steps_is_of_high_order(name):
    prior, latent = correlated(name), normal((3, *SHAPE), 1, "latent").double()
    expected = prior.log_prob(latent, 1e-5)
    errors = []
    for steps in (40, 80):
        solved = exact(prior, latent, steps)
        errors.append((solved.log_prob - expected).abs().max().item())
        assert solved.nfe == steps + 1 and solved.log_prob.dtype == torch.float64
    assert errors[1] < 2e-3 and errors[1] < errors[0] / 5


@pytest.mark.parametrize("name", SDES)
@pytest.mark.parametrize("kind", ["rademacher", "gaussian"])
def test_probes_are_unbiased_and_their_variance_is_as_told(name, kind):
    count = 500
    prior, latent = correlated(name), normal(SHAPE, 1, "latent").double().expand(count, *SHAPE)
    expected = exact(prior, latent[:1], 10).log_prob
    solved = fixed_step_log_prob(prior, latent, range(count), settings(num_steps=10, probe=kind), 1)
    error = solved.log_prob - expected
    assert abs(error.mean()) < 4 * error.std() / math.sqrt(count)
    assert error.std() > 1e-3, "the estimate is noisy"
    assert solved.variance.mean().item() == pytest.approx(error.square().mean().item(), rel=0.25)


def test_noise_averages_out_along_the_path_and_over_the_probes():
    prior, latent = correlated("vpsde"), normal(SHAPE, 1, "latent").double().expand(300, *SHAPE)
    spread = {}
    for steps, count in ((10, 2), (40, 2), (10, 8)):
        config = settings(num_steps=steps, num_probes=count)
        spread[steps, count] = fixed_step_log_prob(prior, latent, range(300), config, 1).log_prob.std().item()
    assert spread[40, 2] < 0.65 * spread[10, 2]
    assert spread[10, 8] == pytest.approx(spread[10, 2] / 2, rel=0.2)
    fixed = prior_log_prob(prior, latent, draw_probes(range(300), SHAPE, "rademacher", 2, 1), settings(tol=1e-4))
    assert spread[40, 2] < fixed.log_prob.std() / 2


def test_one_probe_does_not_tell_its_variance():
    prior = correlated("vpsde")
    solved = fixed_step_log_prob(prior, torch.zeros(2, *SHAPE), range(2), settings(num_probes=1), 1)
    assert solved.log_prob.isfinite().all() and solved.variance.isnan().all()


def test_log_prob_of_a_correlated_mixture():
    """64 dimensions, 16 of them correlated: signs are not exact. The error is the probes' own, as they tell it."""
    prior = mixture_prior(sde_named("vpsde"), (1, 8, 8), rank=16)
    latent = prior.draw(range(24), 3, 1e-5)
    solved = fixed_step_log_prob(prior, latent, range(24), NelboConfig(), 1)
    error = solved.log_prob - prior.log_prob(latent, 1e-5)
    assert solved.nfe == prior.calls <= 100
    assert error.square().mean().sqrt() < 1
    assert 0.6 < (error / solved.variance.sqrt()).square().mean().sqrt() < 1.6
    assert abs(error.mean()) < 4 * solved.variance.sum().sqrt() / 24


@pytest.mark.slow
def test_log_prob_of_a_mixture_in_many_dimensions():
    """The published way is off by 4.8 nats on such a mixture, without correlations, after 506 evaluations."""
    prior = mixture_prior(sde_named("vpsde"), (10, 16, 16), rank=16)
    latent = prior.draw(range(32), 3, 1e-5)
    solved = fixed_step_log_prob(prior, latent, range(32), NelboConfig(), 1)
    error = solved.log_prob - prior.log_prob(latent, 1e-5)
    assert solved.nfe <= 100 and error.square().mean().sqrt() < 1.2
    assert abs(error.mean()) < 4 * solved.variance.sum().sqrt() / 32
    assert solved.variance.mean().sqrt().item() == pytest.approx(error.square().mean().sqrt().item(), rel=0.4)


def test_share_of_the_network_does_not_matter():
    """However one score is divided into a Normal part and a network, channel by channel, its flow is the same."""
    prior = mixture_prior(sde_named("vpsde"), (2, 3, 3), components=3, rank=4)
    latent = prior.draw(range(3), 1, 1e-5)
    whole = fixed_step_log_prob(prior, latent, range(3), NelboConfig(), 1).log_prob
    prior.alpha = torch.tensor([0.05, 0.7], dtype=torch.float64).view(1, 2, 1, 1)
    mixed = fixed_step_log_prob(prior, latent, range(3), NelboConfig(), 1).log_prob
    torch.testing.assert_close(mixed, whole, rtol=0, atol=2e-3)


@pytest.mark.parametrize("name", ["vpsde", "geometric"])
@pytest.mark.parametrize("probe", ["rademacher", "gaussian"])
def test_the_normal_prior_stands_still(name, probe):
    class NormalPrior:
        sde = sde_named(name)
        alpha = torch.zeros(1, 1, 1, 1)

        def network_prediction(self, z, t):
            return torch.sin(3 * z)

    latent = normal((3, *SHAPE), 1, "latent").double()
    solved = fixed_step_log_prob(NormalPrior(), latent, range(3), settings(num_steps=2, probe=probe), 1)
    expected = torch.distributions.Normal(0, 1).log_prob(latent).flatten(1).sum(1)
    torch.testing.assert_close(solved.log_prob, expected, rtol=0, atol=1e-12)
    assert torch.equal(solved.variance, torch.zeros(3).double())


def test_an_image_is_the_same_in_any_batch():
    prior, latent = mixture_prior(sde_named("vpsde"), (2, 3, 3)), normal((5, 2, 3, 3), 1, "latent").double()
    together = fixed_step_log_prob(prior, latent, [7, 1, 9, 4, 3], settings(), 1)
    alone = fixed_step_log_prob(prior, latent[2:3], [9], settings(), 1)
    torch.testing.assert_close(together.log_prob[2:3], alone.log_prob, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(together.variance[2:3], alone.variance, rtol=1e-9, atol=1e-12)
    other = fixed_step_log_prob(prior, latent[2:3], [9], settings(), 2)
    assert (alone.log_prob - other.log_prob).abs() > 1e-3


def test_halving_bounds_the_error_of_the_steps():
    mean, variance = torch.full((1, *SHAPE), 0.5).double(), torch.full((1, *SHAPE), 0.1).double()
    prior, latent = GaussianPrior(sde_named("vpsde"), mean, variance), normal((4, *SHAPE), 1, "latent").double()
    change = change_by_halving(prior, latent, range(4), settings(num_steps=24), 1)
    whole, half = (  # signs are exact for it
        fixed_step_log_prob(prior, latent, range(4), settings(num_steps=steps), 1).log_prob for steps in (24, 12)
    )
    torch.testing.assert_close(change, whole - half, rtol=0, atol=1e-9)
    assert (whole - prior.log_prob(latent, 1e-5)).abs().mean() < change.abs().mean() / 2


class Network(nn.Module):
    sde = sde_named("vpsde")

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, z, t):
        assert z.dtype == t.dtype == torch.float32
        return self.weight * self.sde.normal_prediction(z, t)


def test_network_in_single_precision_and_parameters_without_gradient():
    network = Network()
    solved = fixed_step_log_prob(network, normal((2, *SHAPE), 1, "latent"), range(2), settings(), 1)
    assert solved.log_prob.dtype == torch.float64
    assert not solved.log_prob.requires_grad and network.weight.grad is None


def test_failure_names_its_time():
    prior = correlated("vpsde")
    predict = prior.__class__.__call__

    class Broken(CorrelatedPrior):
        def __call__(self, z, t):
            return predict(self, z, t) * (math.nan if float(t[0]) > 0.5 else 1.0)

    broken = Broken(prior.sde, prior.covariance, SHAPE)
    with pytest.raises(SolverError, match="non-finite") as caught:
        fixed_step_log_prob(broken, torch.zeros(1, *SHAPE), [0], settings(num_steps=50), 1)
    assert 0.5 < caught.value.time < 0.56
