"""Gradient routing (method 7.2): every algorithm against losses written out here and separate backward passes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn
from training.small_run import GEOMETRIC, IMAGE_SHAPE, run_config

from lsgm import randomness
from lsgm.diffusion import TimeSample, build_time_sampler
from lsgm.models import Lsgm, build_lsgm
from lsgm.training import algorithms
from lsgm.training.balancing import balancing_coefficients
from lsgm.training.draws import Diffusion, Draws
from lsgm.training.ema import Ema
from lsgm.training.objective import KlWeights, normal_energy
from lsgm.training.precision import Precision
from lsgm.training.regularisers import Regulariser

KAPPA = 0.8
LAMBDA_VAE, LAMBDA_SGM = 0.03, 0.07
TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}


def normal(*shape: int, index: int = 0) -> Tensor:
    return randomness.normal(shape, 0, "test", index).double()


def build_model(num_scales: int, sde: str) -> Lsgm:
    config = run_config()
    vae = config.vae.model_copy(update={"num_latent_scales": num_scales, "channel_mult": (1,) * (num_scales + 1)})
    sections = {"vae": vae} if sde == "vpsde" else {"vae": vae, "sde": GEOMETRIC}
    model = build_lsgm(config.model_copy(update=sections), IMAGE_SHAPE).double()
    # Layers that start at almost zero would hide a wrong route.
    for index, parameter in enumerate(model.prior.parameters()):
        if parameter.ndim > 1:
            parameter.data.add_(0.1 * normal(*parameter.shape, index=index))
    return model.train()


def without_dropout(model: Lsgm) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


@dataclass(frozen=True)
class Case:
    problem: algorithms.JointProblem
    x: Tensor
    draws: Draws
    weights: KlWeights

    @property
    def model(self) -> Lsgm:
        return self.problem.model


def build_case(weighting: str, time: str, separate: bool, num_scales: int = 1, sde: str = "vpsde") -> Case:
    model = build_model(num_scales, sde)
    without_dropout(model)
    prior_times = build_time_sampler(model.prior.sde, weighting, time)
    shape = (4, *model.vae.prior_shape)

    def diffusion(sampler, index: int) -> Diffusion:
        rho = randomness.uniform((4,), 0, "test", index).double()
        return Diffusion(normal(*shape, index=index), sampler.sample(rho))

    posterior = [normal(4, *group, index=10 + index) for index, group in enumerate(model.vae.latent_shapes)]
    vae_draws = diffusion(build_time_sampler(model.prior.sde, "ll", "is"), 2) if separate else None
    problem = algorithms.JointProblem(
        model=model,
        vae_parameters=list(model.vae.parameters()),
        prior_parameters=list(model.prior.parameters()),
        vae_regulariser=Regulariser(model.vae, LAMBDA_VAE, True, 0, "vae"),
        prior_regulariser=Regulariser(model.prior, LAMBDA_SGM, True, 0, "prior"),
        precision=Precision("float32", torch.device("cpu")),
    )
    x = torch.where(normal(4, 1, 8, 8, index=3) > 0, 1.0, -1.0).double()
    sizes = torch.ones(len(model.vae.latent_shapes), dtype=torch.float64)
    return Case(problem, x, Draws(posterior, diffusion(prior_times, 1), vae_draws), KlWeights(KAPPA, sizes))


def squared_error(model: Lsgm, z0: Tensor, noise: Tensor, times: TimeSample) -> Tensor:
    sde, t = model.prior.sde, times.time[:, None, None, None]
    z = sde.mean(t) * z0 + sde.variance(t).sqrt() * noise
    return (noise - model.prior(z, times.time)) ** 2


def vae_loss(case: Case, noise: Tensor, times: TimeSample) -> Tensor:
    """L_q written out, without the regulariser."""
    model, vae = case.model, case.model.vae
    output = vae(case.x, case.draws.posterior)
    z0 = torch.cat(output.latents[: vae.num_prior_groups], dim=1)
    estimate = times.vae_weight[:, None, None, None] * squared_error(model, z0, noise, times)
    energies = list((estimate + model.prior.sde.cross_entropy_constant()).split(vae.config.num_latent_per_group, 1))
    energies += [normal_energy(latent) for latent in output.latents[vae.num_prior_groups :]]
    pairs = zip(output.log_q, energies, strict=True)
    kl = torch.stack([(log_q + energy).sum((1, 2, 3)) for log_q, energy in pairs], dim=1)
    gamma = balancing_coefficients(kl, case.weights.sizes)
    return (vae.reconstruction(output.params, case.x) + KAPPA * (gamma * kl).sum(1)).mean()


def prior_loss(case: Case, noise: Tensor, times: TimeSample) -> Tensor:
    """L_p written out, without the regulariser; z0 carries no gradient."""
    vae = case.model.vae
    with torch.no_grad():
        z0 = torch.cat(vae(case.x, case.draws.posterior).latents[: vae.num_prior_groups], dim=1)
    return (times.prior_weight * squared_error(case.model, z0, noise, times).sum((1, 2, 3))).mean()


def fresh_regulariser(case: Case, part: str) -> Tensor:
    """lambda R with the power iteration from its start, as the problem's own has it before its first call."""
    coefficient = LAMBDA_VAE if part == "vae" else LAMBDA_SGM
    return Regulariser(getattr(case.model, part), coefficient, True, 0, part)()


def backward(loss: Tensor, parameters) -> list[Tensor]:
    """One plain backward pass that writes into .grad, everything else zeroed."""
    for parameter in parameters:
        parameter.grad = None
    loss.backward(inputs=list(parameters))
    found = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    return found


def check(found, expected) -> None:
    for left, right in zip(found, expected, strict=True):
        torch.testing.assert_close(left, right, **TOLERANCE)
    assert any(gradient.abs().max() > 1e-4 for gradient in expected)


@pytest.mark.parametrize("num_scales", [1, 2])
@pytest.mark.parametrize("sde", ["vpsde", "geometric"])
def test_algorithm_1(num_scales, sde):
    case = build_case("ll", "is", separate=False, num_scales=num_scales, sde=sde)
    draw = case.draws.prior
    result = algorithms.single_loss(case.problem, case.x, case.draws, case.weights)
    loss = vae_loss(case, draw.noise, draw.times)
    check(result.vae, backward(loss + fresh_regulariser(case, "vae"), case.problem.vae_parameters))
    loss = vae_loss(case, draw.noise, draw.times)
    check(result.prior, backward(loss + fresh_regulariser(case, "prior"), case.problem.prior_parameters))
    assert "loss_prior" not in result.terms.scalars


@pytest.mark.parametrize("weighting", ["un", "re"])
@pytest.mark.parametrize("num_scales", [1, 2])
def test_algorithm_3(weighting, num_scales):
    case = build_case(weighting, "is", separate=False, num_scales=num_scales)
    draw = case.draws.prior
    result = algorithms.reweighted(case.problem, case.x, case.draws, case.weights)
    expected = vae_loss(case, draw.noise, draw.times) + fresh_regulariser(case, "vae")
    assert result.terms.scalars["loss_vae"].item() == pytest.approx(expected.item(), rel=1e-12)
    check(result.vae, backward(expected, case.problem.vae_parameters))
    expected = prior_loss(case, draw.noise, draw.times) + fresh_regulariser(case, "prior")
    assert result.terms.scalars["loss_prior"].item() == pytest.approx(expected.item(), rel=1e-12)
    check(result.prior, backward(expected, case.problem.prior_parameters))


@pytest.mark.parametrize("time", ["uniform", "is"])
@pytest.mark.parametrize("disjoint", [False, True])
def test_algorithm_2(time, disjoint):
    case = build_case("re", time, separate=True)
    algorithm = algorithms.separate_disjoint if disjoint else algorithms.separate_joint
    result = algorithm(case.problem, case.x, case.draws, case.weights)
    # The joint form shares the prior's noise.
    vae_noise = case.draws.vae.noise if disjoint else case.draws.prior.noise
    expected = vae_loss(case, vae_noise, case.draws.vae.times) + fresh_regulariser(case, "vae")
    check(result.vae, backward(expected, case.problem.vae_parameters))
    expected = prior_loss(case, case.draws.prior.noise, case.draws.prior.times) + fresh_regulariser(case, "prior")
    check(result.prior, backward(expected, case.problem.prior_parameters))


def test_algorithm_2_with_the_averaged_prior():
    case = build_case("re", "is", separate=True)
    parameters = case.problem.prior_parameters
    ema = Ema(parameters, decay=0.5)
    ema.update()
    case = replace(case, problem=replace(case.problem, ema=ema))
    with torch.no_grad():
        for index, parameter in enumerate(parameters):
            parameter.add_(0.05 * normal(*parameter.shape, index=index))
    present = [parameter.detach().clone() for parameter in parameters]
    result = algorithms.separate_disjoint(case.problem, case.x, case.draws, case.weights)
    assert all(torch.equal(parameter, value) for parameter, value in zip(parameters, present, strict=True))
    expected = prior_loss(case, case.draws.prior.noise, case.draws.prior.times) + fresh_regulariser(case, "prior")
    check(result.prior, backward(expected, parameters))
    with ema.swapped_in():
        expected = vae_loss(case, case.draws.vae.noise, case.draws.vae.times) + fresh_regulariser(case, "vae")
        check(result.vae, backward(expected, case.problem.vae_parameters))


def test_prior_only():
    case = build_case("un", "is", separate=False)
    draw = case.draws.prior
    case.model.vae.eval().requires_grad_(False)
    state = {name: value.clone() for name, value in case.model.vae.state_dict().items()}
    result = algorithms.prior_only(case.problem, case.x, case.draws, case.weights)
    expected = prior_loss(case, draw.noise, draw.times) + fresh_regulariser(case, "prior")
    check(result.prior, backward(expected, case.problem.prior_parameters))
    assert result.vae is None
    assert all(torch.equal(value, state[name]) for name, value in case.model.vae.state_dict().items())


ALGORITHMS = [algorithms.reweighted, algorithms.separate_joint, algorithms.separate_disjoint]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.__name__)
def test_the_prior_loss_never_reaches_the_vae(algorithm):
    """Changing the prior's weights lambda_p changes the prior's gradient and not one digit of the VAE's."""
    case = build_case("re", "is", separate=algorithm is not algorithms.reweighted)
    times = case.draws.prior.times
    heavier = replace(case.draws.prior, times=replace(times, prior_weight=3 * times.prior_weight))
    first = algorithm(case.problem, case.x, case.draws, case.weights)
    restarted = replace(
        case.problem,
        vae_regulariser=Regulariser(case.model.vae, LAMBDA_VAE, True, 0, "vae"),
        prior_regulariser=Regulariser(case.model.prior, LAMBDA_SGM, True, 0, "prior"),
    )
    second = algorithm(restarted, case.x, replace(case.draws, prior=heavier), case.weights)
    assert all(torch.equal(left, right) for left, right in zip(first.vae, second.vae, strict=True))
    assert not all(torch.equal(left, right) for left, right in zip(first.prior, second.prior, strict=True))
