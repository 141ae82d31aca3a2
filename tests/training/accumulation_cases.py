"""Stages whose steps are taken in parts, in float64 if asked for, with batch norms that are frozen or not."""

from __future__ import annotations

import torch
from distributed.training_cases import NO_DROPOUT
from torch import nn
from training.gradient_cases import normal
from training.small_run import (
    IMAGE_SHAPE,
    OBJECTIVES,
    backbone,
    blocks,
    pretrain_settings,
    run_config,
    train_settings,
)

from lsgm.algorithms import StepGradients
from lsgm.config import ExperimentConfig, KlSchedule, ObjectiveConfig
from lsgm.data import TrainBatches
from lsgm.models import Lsgm, build_prior, build_vae
from lsgm.training.joint import JointStage
from lsgm.training.noise import seed_dropout
from lsgm.training.pretrain import PretrainStage

Stage = PretrainStage | JointStage
CPU = torch.device("cpu")
STEP = 1
ANNEALING = {"kl": KlSchedule(start=0.7, anneal_portion=1.0)}
BALANCED = ANNEALING | {"kl_balance": True}
# Without importance sampling; the others have it.
UNIFORM = {
    "algorithm 1, uniform": ObjectiveConfig(weighting="ll", time="uniform"),
    "algorithm 2, uniform": ObjectiveConfig(weighting="re", time="uniform", q_time="uniform"),
    "algorithm 2 disjoint, uniform": ObjectiveConfig(weighting="un", time="uniform", q_time="uniform", disjoint=True),
    "algorithm 3, uniform": ObjectiveConfig(weighting="re", time="uniform"),
}
OFFICIAL = ObjectiveConfig(weighting="ll", time="is", official_kl_coeff=True)
CASES = {
    "pretraining": {"pretrain": pretrain_settings(kl=ANNEALING["kl"])},
    "pretraining, not balanced": {"pretrain": pretrain_settings(kl_balance=False)},
    "pretraining, not regularised": {"pretrain": pretrain_settings(sr_coeff=0.0)},
    **{name: {"objective": objective, "train": train_settings()} for name, objective in (OBJECTIVES | UNIFORM).items()},
    **{
        f"{name}, balanced": {"objective": objective, "train": train_settings(**BALANCED)}
        for name, objective in OBJECTIVES.items()
    },
    "algorithm 1, official": {"objective": OFFICIAL, "train": train_settings(**ANNEALING)},
    "algorithm 1, official, balanced": {"objective": OFFICIAL, "train": train_settings(**BALANCED)},
    "prior only": {"train": train_settings(train_vae=False, kl_balance=True)},
}


def config_of(case: str, parts: int, dropout: float = 0.0) -> ExperimentConfig:
    sections = dict(CASES[case])
    for name in ("pretrain", "train"):
        if name in sections:
            sections[name] = sections[name].model_copy(update={"accumulate": parts})
    return run_config(prior=NO_DROPOUT.model_copy(update={"dropout": dropout}), **sections)


def build_stage(case: str, parts: int, dropout: float = 0.0, is_frozen: bool = True) -> Stage:
    """With batch norms that use statistics other than 0 and 1, if they are frozen."""
    config = config_of(case, parts, dropout)
    is_pretraining = case.startswith("pretraining")
    settings = config.pretrain if is_pretraining else config.train
    batches = TrainBatches(blocks().train, config.data, settings.batch_size, config.seed, CPU)
    model = nn.Module() if is_pretraining else backbone(config)
    vae = build_vae(config, IMAGE_SHAPE) if is_pretraining else model.vae
    if is_pretraining:
        stage = PretrainStage(config, vae, batches, CPU)
    else:
        stage = JointStage(config, Lsgm(vae, build_prior(config, vae.prior_shape)), batches, CPU)
        # Layers that start at almost zero would hide what dropout does.
        for index, parameter in enumerate(stage.model.prior.parameters()):
            parameter.data.add_(0.1 * normal(*parameter.shape, index=index))
    for index, norm in enumerate(norms_of(vae)):
        if is_frozen:
            norm.eval()
            norm.running_mean.add_(0.1 * normal(*norm.running_mean.shape, index=index))
    return stage


def norms_of(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]


def gradients_of(stage: Stage, step: int = STEP) -> StepGradients:
    seed_dropout(stage.seed, step)
    return stage.gradients(stage.inputs(step), step)
