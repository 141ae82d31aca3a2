"""The plain training step that the package's own is compared with: the same mathematics, nothing saved.

The same networks, but gradients by `plain_algorithms` (a full backward pass for each objective), an optimiser that
walks over the parameters one by one, and an average that copies each of them. No batch of these has been tuned: it is
what a straightforward script does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Adam, Adamax, AdamW, Optimizer

from lsgm.algorithms import JointProblem, StepGradients, collect_terms, prior_only
from lsgm.config import ExperimentConfig, PretrainConfig
from lsgm.models import NVAE, Lsgm
from lsgm.objective import KlWeights, group_sizes, nelbo
from lsgm.training.noise import BatchNoise, StepInputs
from lsgm.training.spectral import Regulariser
from lsgm.training.stage import Precision

from . import plain_algorithms

Algorithm = Callable[[JointProblem, Tensor, BatchNoise, KlWeights], StepGradients]


class PlainAverage:
    """Moving average of parameters, each copied on its way into it."""

    def __init__(self, parameters: Sequence[Parameter], decay: float) -> None:
        self._parameters, self._decay = list(parameters), decay
        self._average = [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def update(self) -> None:
        """Take the present parameters in."""
        for average, parameter in zip(self._average, self._parameters, strict=True):
            present = parameter.detach().clone()
            average.copy_(self._decay * average + (1 - self._decay) * present)


class PlainPretraining:
    """Pretraining of one VAE, step by step.

    Args:
        config: the experiment.
        vae: on the device; its parameters are the step's own.
        device: where it runs.
    """

    def __init__(self, config: ExperimentConfig, vae: NVAE, device: torch.device) -> None:
        settings = config.pretrain
        self._vae, self._parameters = vae.train(), list(vae.parameters())
        self._precision = Precision(settings.precision, device)
        self._regulariser = Regulariser(vae, settings.sr_coeff, True, config.seed, "vae")
        self._sizes = torch.tensor(group_sizes(vae.latent_shapes), device=device) if settings.kl_balance else None
        self._optimiser = _optimiser(Adamax, self._parameters, settings, settings.lr, settings.eps)

    def __call__(self, inputs: StepInputs, kl_coeff: float) -> None:
        """Take a step."""
        _update(self._parameters, self.gradients(inputs, kl_coeff).vae, self._optimiser)

    def gradients(self, inputs: StepInputs, kl_coeff: float) -> StepGradients:
        """Gradient of the VAE's loss."""
        with self._precision.autocast():
            output = self._vae(inputs.x, inputs.noise.posterior)
        bound = nelbo(self._vae, output, inputs.x, latent_cross_entropy=None)
        loss, regulariser = bound.vae_loss(KlWeights(kl_coeff, self._sizes)), self._regulariser()
        if regulariser is not None:
            loss = loss + regulariser
        found = torch.autograd.grad(loss, self._parameters, allow_unused=True, materialize_grads=True)
        return StepGradients(found, None, collect_terms(bound, loss_vae=loss, regulariser_vae=regulariser))


class PlainJoint:
    """The joint stage, step by step; arguments as of `PlainPretraining`, with the whole model."""

    def __init__(self, config: ExperimentConfig, model: Lsgm, device: torch.device) -> None:
        settings, trains_vae = config.train, config.train.train_vae
        self._algorithm = _algorithm(config)
        model.prior.train()
        model.vae.train(trains_vae).requires_grad_(trains_vae)
        coefficient = settings.sr_coeff_vae if trains_vae else 0.0
        self.problem = JointProblem(
            model=model,
            vae_parameters=list(model.vae.parameters()) if trains_vae else [],
            prior_parameters=list(model.prior.parameters()),
            vae_regulariser=Regulariser(model.vae, coefficient, True, config.seed, "vae"),
            prior_regulariser=Regulariser(
                model.prior, settings.sr_coeff_sgm, settings.sr_sgm_convs, config.seed, "prior"
            ),
            precision=Precision(settings.precision, device),
            # As published, algorithm 1 has one loss, and so one pass; with two it would be no yardstick.
            official_kl_coeff=config.objective.algorithm == 1,
        )
        kind = AdamW if settings.weight_decay_form == "decoupled" else Adam
        rates = {"vae": (settings.lr_vae, settings.eps_vae), "prior": (settings.lr_sgm, settings.eps_sgm)}
        self._parts = {
            part: (parameters, _optimiser(kind, parameters, settings, *rates[part]))
            for part, parameters in (("vae", self.problem.vae_parameters), ("prior", self.problem.prior_parameters))
            if parameters
        }
        self._average = PlainAverage(self.problem.prior_parameters, settings.ema_decay)

    def __call__(self, inputs: StepInputs, kl_coeff: float) -> None:
        """Take a step."""
        found = self.gradients(inputs, kl_coeff)
        for part, (parameters, optimiser) in self._parts.items():
            _update(parameters, getattr(found, part), optimiser)
        self._average.update()

    def gradients(self, inputs: StepInputs, kl_coeff: float) -> StepGradients:
        """Gradients of both losses."""
        return self._algorithm(self.problem, inputs.x, inputs.noise, KlWeights(kl_coeff))


def _algorithm(config: ExperimentConfig) -> Algorithm:
    objective = config.objective
    if not config.train.train_vae:
        return prior_only
    if objective.disjoint:
        return plain_algorithms.algorithm_2_disjoint
    by_number = (plain_algorithms.algorithm_1, plain_algorithms.algorithm_2_joint, plain_algorithms.algorithm_3)
    return by_number[objective.algorithm - 1]


def _optimiser(
    kind: type[Optimizer], parameters: Sequence[Parameter], settings: PretrainConfig, rate: float, eps: float
) -> Optimizer:
    """An optimiser that takes one parameter after the other."""
    return kind(parameters, lr=rate, betas=settings.betas, eps=eps, weight_decay=settings.weight_decay, foreach=False)


def _update(parameters: Sequence[Parameter], gradients: Sequence[Tensor], optimiser: Optimizer) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    optimiser.step()
    optimiser.zero_grad()
