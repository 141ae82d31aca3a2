"""Training steps to be timed: the package's own and the plain one, on equal networks, inputs and settings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lsgm.config import ExperimentConfig
from lsgm.models import build_lsgm
from lsgm.training.joint import JointStage
from lsgm.training.noise import StepInputs, seed_dropout
from lsgm.training.pretrain import PretrainStage
from lsgm.training.regions import prepared_regions
from lsgm.training.stage import Stage

from .networks import Network
from .plain_step import PlainJoint, PlainPretraining

# Passes through the score network that the mathematics asks for, in units of one forward pass of the batch. Algorithm 2
# has two batches of times: two forward passes, and two backward ones of which the encoder's needs no weight gradients.
FORWARD_AND_BACKWARD = 3
PRIOR_PASSES = {1: 3, 2: 5, 3: 3}


def build_stage(network: Network, config: ExperimentConfig, device: torch.device, steps_per_epoch: int = 4) -> Stage:
    """The stage that the settings mean, with fresh weights, as the training loop drives it."""
    model = build_lsgm(config, network.image_shape).to(device)
    batches = network.batches(config, device, steps_per_epoch)
    if config.is_vae:
        return PretrainStage(config, model.vae, batches, device)
    return JointStage(config, model, batches, device)


def build_plain(network: Network, config: ExperimentConfig, device: torch.device) -> PlainPretraining | PlainJoint:
    """The plain version of that stage, with the same weights."""
    model = build_lsgm(config, network.image_shape).to(device)
    return PlainPretraining(config, model.vae, device) if config.is_vae else PlainJoint(config, model, device)


def bare_step(stage: Stage, inputs: StepInputs, step: int) -> None:
    """One step of a stage without what the loop does for safety: gradients, update, average."""
    if stage.has_dropout:
        seed_dropout(stage.seed, step)
    gradients = stage.gradients(inputs, step)
    for name, branch in stage.branches.items():
        norm = branch.take_gradients(getattr(gradients, name), stage.precision.scale)
        branch.update(step, norm)
    stage.after_update()


def own_step(stage: Stage, inputs: StepInputs) -> Callable[[], None]:
    """A step of the package on inputs that are there, again and again."""
    steps = iter(range(1_000_000))
    return lambda: bare_step(stage, inputs, next(steps))


def prepared(stage: Stage, config: ExperimentConfig) -> AbstractContextManager[None]:
    """Context in which the stage's networks run as the settings of its loop say: compiled, say."""
    return prepared_regions(nn.ModuleDict(stage.networks), config.pretrain if config.is_vae else config.train)


def plain_step(plain: PlainPretraining | PlainJoint, kl_coeff: float, inputs: StepInputs) -> Callable[[], None]:
    """A step of the plain version on the same inputs, with the same KL coefficient."""
    return lambda: plain(inputs, kl_coeff)


@torch.no_grad()
def step_flop(network: Network, config: ExperimentConfig, device: torch.device) -> float:
    """Operations of the networks' products and convolutions in one step.

    Each network's forward pass is counted, and the backward pass of input and weights as twice that; normalisations,
    regularisers and updates are not.
    """
    model = build_lsgm(config, network.image_shape).to(device).eval().requires_grad_(False)
    stage_inputs = network.batches(config, device).batch(0)
    noises = [torch.zeros(len(stage_inputs), *shape, device=device) for shape in model.vae.latent_shapes]
    vae = _count(lambda: model.vae(stage_inputs, noises))
    if config.is_vae:
        return FORWARD_AND_BACKWARD * vae
    latent = torch.zeros(len(stage_inputs), *model.vae.prior_shape, device=device)
    prior = _count(lambda: model.prior(latent, torch.full((len(latent),), 0.5, device=device)))
    if not config.train.train_vae:
        return vae + FORWARD_AND_BACKWARD * prior
    return FORWARD_AND_BACKWARD * vae + PRIOR_PASSES[config.objective.algorithm] * prior


def _count(work: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())
