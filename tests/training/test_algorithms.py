"""Gradient routing of algorithms 2 and 3: the gradients themselves, against the authors' order of work.

That order is written out here with plain backward passes over everything: L_q into all parameters, the VAE's gradients
put aside and the prior's thrown away, then L_p, of which only the prior's are kept. Parameters stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor
from training.gradient_cases import (
    SDES,
    Case,
    backward,
    bound_of,
    build_case,
    check_gradients,
    diffuse,
    fresh_regulariser,
    normal,
    prior_loss,
    squared_error,
    take_grad,
    top_latent,
)

from lsgm import algorithms
from lsgm.algorithms import StepGradients
from lsgm.training.optim import Ema

NETWORKS = {"vpsde, one scale": {}} | {sde: {"sde": sde, "num_scales": 2, "num_flows": 1} for sde in SDES}
on_networks = pytest.mark.parametrize("network", NETWORKS)


@dataclass
class InOrder:
    """The two backward passes of one step, in the authors' order."""

    case: Case
    vae: list[Tensor] | None = None
    prior: list[Tensor] | None = None
    loss_vae: float = 0.0
    loss_prior: float = 0.0

    def first(self, bound: Tensor) -> None:
        loss = bound + fresh_regulariser(self.case.model, "vae")()
        loss.backward(retain_graph=True)
        self.loss_vae = loss.item()
        self.vae = take_grad(self.case.problem.vae_parameters)
        take_grad(self.case.problem.prior_parameters)

    def second(self, error: Tensor) -> None:
        weighted = self.case.draws.prior.times.prior_weight * error.sum((1, 2, 3))
        loss = weighted.mean() + fresh_regulariser(self.case.model, "prior")()
        loss.backward()
        self.loss_prior = loss.item()
        self.prior = take_grad(self.case.problem.prior_parameters)
        take_grad(self.case.problem.vae_parameters)

    def check(self, result: StepGradients) -> None:
        check_gradients(result.vae, self.vae)
        check_gradients(result.prior, self.prior)
        assert result.terms.scalars["loss_vae"].item() == pytest.approx(self.loss_vae, rel=1e-12)
        assert result.terms.scalars["loss_prior"].item() == pytest.approx(self.loss_prior, rel=1e-12)


@on_networks
def test_algorithm_3(network):
    """One forward pass and one set of squared errors for both losses."""
    case = build_case("re", "is", **NETWORKS[network])
    expected, draw = InOrder(case), case.draws.prior
    output = case.model.vae(case.x, case.draws.posterior)
    error = squared_error(case.model, top_latent(case, output), draw.noise, draw.times)
    expected.first(bound_of(case, output, error, draw.times))
    expected.second(error)
    expected.check(algorithms.algorithm_3(case.problem, case.x, case.draws, case.weights))


@on_networks
@pytest.mark.parametrize("vae_time", ["is", "uniform"])
def test_algorithm_2_joint(network, vae_time):
    """One pass over [sg(z at the prior's times); z at the VAE's times], with the same noise in both halves."""
    case = build_case("re", "is", vae_time=vae_time, **NETWORKS[network])
    expected, model = InOrder(case), case.model
    noise, prior_time, vae_time = case.draws.prior.noise, case.draws.prior.times.time, case.draws.vae.times.time
    output = model.vae(case.x, case.draws.posterior)
    z0 = top_latent(case, output)
    both = torch.cat([diffuse(model, z0, noise, prior_time).detach(), diffuse(model, z0, noise, vae_time)])
    prediction = model.prior(both, torch.cat([prior_time, vae_time]))
    for_prior, for_vae = (torch.cat([noise, noise]) - prediction).square().chunk(2)
    expected.first(bound_of(case, output, for_vae, case.draws.vae.times))
    expected.second(for_prior)
    expected.check(algorithms.algorithm_2_joint(case.problem, case.x, case.draws, case.weights))


@on_networks
@pytest.mark.parametrize("is_averaged", [False, True])
def test_algorithm_2_disjoint(network, is_averaged):
    """Two passes with noise of their own; the first may see the average of the prior, the second never does."""
    case = build_case("re", "is", vae_time="is", **NETWORKS[network])
    parameters = case.problem.prior_parameters
    average = [parameter.detach().clone() for parameter in parameters]
    if is_averaged:
        ema = Ema(parameters, decay=0.5)
        ema.update()
        case = replace(case, problem=replace(case.problem, ema=ema))
        put(parameters, [value + 0.05 * normal(*value.shape, index=i) for i, value in enumerate(average)])
    present = [parameter.detach().clone() for parameter in parameters]
    expected, model = InOrder(case), case.model
    put(parameters, average if is_averaged else present)
    output = model.vae(case.x, case.draws.posterior)
    z0, draw = top_latent(case, output), case.draws.vae
    expected.first(bound_of(case, output, squared_error(model, z0, draw.noise, draw.times), draw.times))
    put(parameters, present)
    draw = case.draws.prior
    expected.second(squared_error(model, z0.detach(), draw.noise, draw.times))
    expected.check(algorithms.algorithm_2_disjoint(case.problem, case.x, case.draws, case.weights))
    assert all(torch.equal(parameter, value) for parameter, value in zip(parameters, present, strict=True))


def put(parameters, values: list[Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)


def test_the_average_matters():
    """The case above would not notice an average that equals the parameters."""
    case = build_case("re", "is", vae_time="is")
    found = [algorithms.algorithm_2_disjoint(case.problem, case.x, case.draws, case.weights)]
    put(case.problem.prior_parameters, [1.1 * parameter for parameter in case.problem.prior_parameters])
    found.append(algorithms.algorithm_2_disjoint(case.problem, case.x, case.draws, case.weights))
    assert (found[0].vae[0] - found[1].vae[0]).norm() > 1e-6 * found[0].vae[0].norm()


@pytest.mark.parametrize("sde", SDES)
def test_prior_only(sde):
    case = build_case("re", "is", sde=sde)
    draw = case.draws.prior
    case.model.vae.eval().requires_grad_(False)
    state = {name: value.clone() for name, value in case.model.vae.state_dict().items()}
    result = algorithms.prior_only(case.problem, case.x, case.draws, case.weights)
    expected = prior_loss(case, draw.noise, draw.times) + fresh_regulariser(case.model, "prior")()
    check_gradients(result.prior, backward(expected, case.problem.prior_parameters))
    assert result.vae is None
    assert all(torch.equal(value, state[name]) for name, value in case.model.vae.state_dict().items())


ALGORITHMS = [algorithms.algorithm_3, algorithms.algorithm_2_joint, algorithms.algorithm_2_disjoint]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.__name__)
def test_the_prior_loss_never_reaches_the_vae(algorithm):
    """Changing the prior's weights lambda_p changes the prior's gradient and not one digit of the VAE's."""
    case = build_case("re", "is", vae_time=None if algorithm is algorithms.algorithm_3 else "is")
    times = case.draws.prior.times
    heavier = replace(case.draws.prior, times=replace(times, prior_weight=3 * times.prior_weight))
    first = algorithm(case.problem, case.x, case.draws, case.weights)
    restarted = replace(
        case.problem,
        vae_regulariser=fresh_regulariser(case.model, "vae"),
        prior_regulariser=fresh_regulariser(case.model, "prior"),
    )
    second = algorithm(restarted, case.x, replace(case.draws, prior=heavier), case.weights)
    assert all(torch.equal(left, right) for left, right in zip(first.vae, second.vae, strict=True))
    assert not all(torch.equal(left, right) for left, right in zip(first.prior, second.prior, strict=True))
