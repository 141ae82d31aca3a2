"""Small networks in float64 with one step's draws, and the losses L_q and L_p of that step written out in full."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from training.small_run import GEOMETRIC, IMAGE_SHAPE, run_config

from lsgm import randomness
from lsgm.algorithms import JointProblem
from lsgm.config import ObjectiveConfig, SdeConfig
from lsgm.models import Lsgm, build_lsgm
from lsgm.objective import KlWeights, balancing_coefficients, cross_entropy_constant, normal_energy
from lsgm.time_sampling import TimeSample, TimeSampler, build_time_sampler
from lsgm.training.noise import BatchNoise, DiffusionNoise
from lsgm.training.spectral import Regulariser
from lsgm.training.stage import Precision

KAPPA = 0.85
COEFFICIENTS = {"vae": 0.03, "prior": 0.07}
SDES = {
    "vpsde": SdeConfig(),
    "geometric": GEOMETRIC,
    "sub_vpsde": SdeConfig(type="sub_vpsde"),
    "vesde": SdeConfig(type="vesde", sigma2_min=1e-4, sigma2_0=1e-4, sigma2_max=50.0),
}


def normal(*shape: int, index: int = 0) -> Tensor:
    return randomness.normal(shape, 0, "test", index).double()


def build_model(num_scales: int, num_flows: int, sde: str) -> Lsgm:
    config = run_config(sde=SDES[sde], objective=ObjectiveConfig(weighting="re"))
    changes = {"num_latent_scales": num_scales, "channel_mult": (1,) * (num_scales + 1), "num_flows": num_flows}
    config = config.model_copy(update={"vae": config.vae.model_copy(update=changes)})
    model = build_lsgm(config, IMAGE_SHAPE).double()
    # Layers that start at almost zero would hide a wrong route.
    for index, parameter in enumerate(model.prior.parameters()):
        if parameter.ndim > 1:
            parameter.data.add_(0.1 * normal(*parameter.shape, index=index))
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model.train()


@dataclass(frozen=True)
class Case:
    problem: JointProblem
    x: Tensor
    draws: BatchNoise
    weights: KlWeights

    @property
    def model(self) -> Lsgm:
        return self.problem.model


def build_case(
    weighting: str,
    time: str,
    vae_time: str | None = None,
    num_scales: int = 1,
    num_flows: int = 0,
    sde: str = "vpsde",
    kl_coeff: float = KAPPA,
    is_balanced: bool = True,
) -> Case:
    """`vae_time`: how the VAE's own times are drawn, if it has any."""
    model = build_model(num_scales, num_flows, sde)
    shape = (4, *model.vae.prior_shape)

    def diffusion(sampler: TimeSampler, index: int) -> DiffusionNoise:
        rho = randomness.uniform((4,), 0, "test", index).double()
        return DiffusionNoise(normal(*shape, index=index), sampler.sample(rho))

    posterior = [normal(4, *group, index=10 + index) for index, group in enumerate(model.vae.latent_shapes)]
    prior_draws = diffusion(build_time_sampler(model.prior.sde, weighting, time), 1)
    vae_draws = diffusion(build_time_sampler(model.prior.sde, "ll", vae_time), 2) if vae_time else None
    problem = JointProblem(
        model=model,
        vae_parameters=list(model.vae.parameters()),
        prior_parameters=list(model.prior.parameters()),
        vae_regulariser=fresh_regulariser(model, "vae"),
        prior_regulariser=fresh_regulariser(model, "prior"),
        precision=Precision("float32", torch.device("cpu")),
    )
    x = torch.where(normal(4, 1, 8, 8, index=3) > 0, 1.0, -1.0).double()
    sizes = torch.ones(len(model.vae.latent_shapes), dtype=torch.float64) if is_balanced else None
    return Case(problem, x, BatchNoise(posterior, prior_draws, vae_draws), KlWeights(kl_coeff, sizes))


def fresh_regulariser(model: Lsgm, part: str) -> Regulariser:
    """lambda R with the power iteration from its start, as a problem's own has it before its first call."""
    return Regulariser(getattr(model, part), COEFFICIENTS[part], True, 0, part)


def diffuse(model: Lsgm, z0: Tensor, noise: Tensor, time: Tensor) -> Tensor:
    sde, t = model.prior.sde, time[:, None, None, None]
    return sde.mean(t) * z0 + sde.variance(t).sqrt() * noise


def squared_error(model: Lsgm, z0: Tensor, noise: Tensor, times: TimeSample) -> Tensor:
    return (noise - model.prior(diffuse(model, z0, noise, times.time), times.time)) ** 2


def bound_of(case: Case, output, error: Tensor, times: TimeSample) -> Tensor:
    """L_q without its regulariser, from the VAE's output and the squared errors at its times."""
    vae, sde = case.model.vae, case.model.prior.sde
    estimate = times.vae_weight[:, None, None, None] * error + cross_entropy_constant(sde)
    energies = list(estimate.split(vae.config.num_latent_per_group, 1))
    energies += [normal_energy(latent) for latent in output.latents[vae.num_prior_groups :]]
    pairs = zip(output.log_q, energies, strict=True)
    kl = torch.stack([(log_q + energy).sum((1, 2, 3)) for log_q, energy in pairs], dim=1)
    kl_coeff, sizes = case.weights.kl_coeff, case.weights.sizes
    gamma = torch.ones_like(kl[0]) if sizes is None or kl_coeff >= 1 else balancing_coefficients(kl, sizes)
    return (vae.reconstruction(output.params, case.x) + kl_coeff * (gamma * kl).sum(1)).mean()


def top_latent(case: Case, output) -> Tensor:
    return torch.cat(output.latents[: case.model.vae.num_prior_groups], dim=1)


def vae_loss(case: Case, noise: Tensor, times: TimeSample) -> Tensor:
    """L_q with a forward pass of its own, without the regulariser."""
    output = case.model.vae(case.x, case.draws.posterior)
    return bound_of(case, output, squared_error(case.model, top_latent(case, output), noise, times), times)


def prior_loss(case: Case, noise: Tensor, times: TimeSample) -> Tensor:
    """L_p with a forward pass of its own, without the regulariser; z0 carries no gradient."""
    with torch.no_grad():
        z0 = top_latent(case, case.model.vae(case.x, case.draws.posterior))
    return (times.prior_weight * squared_error(case.model, z0, noise, times).sum((1, 2, 3))).mean()


def backward(loss: Tensor, parameters) -> list[Tensor]:
    """One plain backward pass that writes into .grad, everything else zeroed."""
    for parameter in parameters:
        parameter.grad = None
    loss.backward(inputs=list(parameters))
    return take_grad(parameters)


def take_grad(parameters) -> list[Tensor]:
    """What is in .grad, which is emptied."""
    found = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    return found


def check_gradients(found, expected, rtol: float = 1e-12) -> None:
    """Tensor by tensor, relative to the tensor; one whose gradient is all rounding, relative to the whole network."""
    total = torch.linalg.vector_norm(torch.stack([gradient.norm() for gradient in expected]))
    assert total > 1e-2
    for left, right in zip(found, expected, strict=True):
        assert (left - right).norm() <= rtol * (right.norm() + 1e-3 * total)
