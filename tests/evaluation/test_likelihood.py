from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from toy_gaussian import CorrelatedPrior, GaussianPrior, sde_named

from lsgm.config import NelboConfig
from lsgm.evaluation import draw_probes, prior_log_prob
from lsgm.randomness import normal
from lsgm.sampling import SolverError
from lsgm.sde import SDES

SHAPE = (2, 3, 3)
PROBES = ("rademacher", "gaussian")


def settings(**keys) -> NelboConfig:
    return NelboConfig(**{"tol": 1e-7, "time_end": 1e-5, **keys})


def gaussian_prior(name: str) -> GaussianPrior:
    mean = normal((1, *SHAPE), 1, "mean").double()
    variance = 0.3 + normal((1, *SHAPE), 1, "variance").double() ** 2
    return GaussianPrior(sde_named(name), mean, variance)


@pytest.mark.parametrize("name", SDES)
def test_log_prob_of_gaussian_data_is_the_closed_form(name):
    prior = gaussian_prior(name)
    latent = normal((4, *SHAPE), 1, "latent")
    probes = draw_probes(range(4), SHAPE, "rademacher", 1, 1)  # exact for a diagonal Jacobian
    result = prior_log_prob(prior, latent, probes, settings())
    assert result.log_prob.dtype == torch.float64
    torch.testing.assert_close(result.log_prob, prior.log_prob(latent.double(), 1e-5), rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ["vpsde", "geometric"])
def test_log_prob_is_that_of_the_data(name):
    """With the SDE's slight initial noise, p(z_0) is N(mean, variance + sigma_0^2) up to the mismatch at t = 1."""
    prior = gaussian_prior(name)
    latent = normal((4, *SHAPE), 1, "latent").double()
    data = torch.distributions.Normal(prior.mean, (prior.variance + prior.sde.sigma2_0).sqrt())
    probes = draw_probes(range(4), SHAPE, "rademacher", 1, 1)
    log_prob = prior_log_prob(prior, latent, probes, settings()).log_prob
    tolerance = 0.3 if name == "vpsde" else 1.0  # the mean that is left at t = 1 is 0.7 and 3 % of the data's
    torch.testing.assert_close(log_prob, data.log_prob(latent).flatten(1).sum(1), rtol=0, atol=tolerance)


class NormalPrior(nn.Module):
    """alpha = 0: the standard normal prior, its Normal part exposed or not."""

    def __init__(self, name: str, exposed: bool) -> None:
        super().__init__()
        self.sde = sde_named(name)
        if exposed:
            self.normal_coefficient = lambda t: self.sde.normal_prediction(torch.ones(len(t), 1, 1, 1).to(t), t)

    def forward(self, z, t):
        return self.sde.normal_prediction(z, t)


@pytest.mark.parametrize("name", ["vpsde", "geometric"])
@pytest.mark.parametrize("probe, exposed", [("rademacher", False), ("rademacher", True), ("gaussian", True)])
def test_normal_prior_of_a_vp_sde_gives_the_normal_density(name, probe, exposed):
    latent = normal((3, *SHAPE), 1, "latent").double()
    probes = draw_probes(range(3), SHAPE, probe, 1, 1)
    result = prior_log_prob(NormalPrior(name, exposed), latent, probes, settings(tol=1e-5))
    expected = torch.distributions.Normal(0, 1).log_prob(latent).flatten(1).sum(1)
    torch.testing.assert_close(result.log_prob, expected, rtol=0, atol=1e-8)
    assert result.nfe == 32


@pytest.mark.parametrize("name", SDES)
@pytest.mark.parametrize("kind", PROBES)
def test_estimate_is_unbiased_for_correlated_data(name, kind):
    shape, count = (1, 2, 2), 1500
    root = normal((4, 4), 1, "root").double()
    prior = CorrelatedPrior(sde_named(name), root @ root.T * 0.3 + 0.3 * torch.eye(4, dtype=torch.float64), shape)
    latent = normal(shape, 1, "latent").double().expand(count, *shape)
    probes = draw_probes(range(count), shape, kind, 1, 1)
    log_prob = prior_log_prob(prior, latent, probes, settings(tol=1e-4)).log_prob
    expected = prior.log_prob(latent[:1], 1e-5).item()
    error = log_prob.std() / math.sqrt(count)
    assert error > 1e-3, "the estimate of one probe is noisy"
    assert abs(log_prob.mean() - expected) < 4 * error + 2e-3


def test_all_signs_together_give_the_exact_trace():
    """The mean of n^T J n over all sign vectors is the trace, so sixteen solves hit the closed form."""
    shape = (1, 2, 2)
    root = normal((4, 4), 2, "root").double()
    prior = CorrelatedPrior(sde_named("vpsde"), root @ root.T + 0.2 * torch.eye(4, dtype=torch.float64), shape)
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 4).reshape(16, 1, *shape)
    latent = normal((1, *shape), 1, "latent").double()
    result = prior_log_prob(prior, latent, list(signs), settings())
    assert result.log_prob.item() == pytest.approx(prior.log_prob(latent, 1e-5).item(), abs=2e-5)


def test_solves_are_averaged():
    shape = (1, 2, 2)
    prior = CorrelatedPrior(sde_named("vpsde"), torch.eye(4).double() + 0.5, shape)
    latent = normal((2, *shape), 1, "latent")
    probes = draw_probes(range(2), shape, "rademacher", 3, 1)
    single = [prior_log_prob(prior, latent, [probe], settings()) for probe in probes]
    together = prior_log_prob(prior, latent, probes, settings())
    torch.testing.assert_close(together.log_prob, sum(one.log_prob for one in single) / 3)
    assert together.nfe == pytest.approx(sum(one.nfe for one in single) / 3)


def test_nfe_is_per_solve_and_complete():
    prior = gaussian_prior("vpsde")
    result = prior_log_prob(
        prior, normal((2, *SHAPE), 1, "z"), draw_probes(range(2), SHAPE, "gaussian", 2, 1), settings(tol=1e-4)
    )
    assert prior.calls == 2 * result.nfe and result.nfe > 8


def test_parameters_get_no_gradient_and_graph_is_not_kept():
    class Network(nn.Module):
        sde = sde_named("vpsde")

        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(0.5))

        def forward(self, z, t):
            assert z.dtype == torch.float32
            return self.weight * self.sde.normal_prediction(z, t)

    network = Network()
    latent = normal((2, *SHAPE), 1, "latent")
    result = prior_log_prob(network, latent, draw_probes(range(2), SHAPE, "rademacher", 1, 1), settings(tol=1e-4))
    assert not result.log_prob.requires_grad and network.weight.grad is None


def test_failures():
    prior = gaussian_prior("vpsde")
    with pytest.raises(ValueError, match="probe"):
        prior_log_prob(prior, torch.zeros(1, *SHAPE), [], settings())
    prior.mean = prior.mean * math.nan
    with pytest.raises(SolverError):
        prior_log_prob(prior, torch.zeros(1, *SHAPE), [torch.ones(1, *SHAPE)], settings())
