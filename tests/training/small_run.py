"""Training runs of a second: a tiny LSGM on 1x6x6 images of blocks, and a reporter that tests can act through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from models.small_models import IMAGE_SHAPE, small_config

from lsgm.config import (
    ExperimentConfig,
    KlSchedule,
    ObjectiveConfig,
    PretrainConfig,
    PriorConfig,
    SdeConfig,
    TrainConfig,
)
from lsgm.data import Dataset
from lsgm.models import NVAE, Lsgm, build_vae
from lsgm.training.logging import Record

BATCH, IMAGES = 8, 32
PRIOR = PriorConfig(
    num_channels=8, channel_mult=(1, 1), num_cells_per_scale=1, embedding_dim=8, dropout=0.2, mixing_logit_init=0.0
)
GEOMETRIC = SdeConfig(type="geometric", sigma2_0=3.0e-5, time_eps=0.0)
VESDE = SdeConfig(type="vesde", sigma2_min=1e-4, sigma2_0=1e-4, sigma2_max=None)
OBJECTIVES = {
    "algorithm 1": ObjectiveConfig(weighting="ll", time="is"),
    "algorithm 2": ObjectiveConfig(weighting="re", time="is", q_time="ll"),
    "algorithm 2 disjoint": ObjectiveConfig(weighting="un", time="is", q_time="ll", disjoint=True, update_q_ema=True),
    "algorithm 3": ObjectiveConfig(weighting="un", time="is"),
}


def pretrain_settings(**changes: object) -> PretrainConfig:
    settings = {"epochs": 2, "batch_size": BATCH, "warmup_epochs": 1, "log_every": 3, "checkpoint_every": 100}
    return PretrainConfig(**(settings | changes))


def train_settings(**changes: object) -> TrainConfig:
    settings = {"epochs": 2, "batch_size": BATCH, "warmup_epochs": 1, "log_every": 3, "checkpoint_every": 100}
    annealing = {"kl": KlSchedule(start=0.7), "sr_sgm_convs": True, "ema_decay": 0.9}
    return TrainConfig(**(settings | annealing | changes))


def run_config(**sections: object) -> ExperimentConfig:
    vae = small_config().vae.model_copy(update={"num_pre_post_cells": 1})
    defaults = {"vae": vae, "prior": PRIOR, "pretrain": pretrain_settings(), "train": train_settings()}
    return small_config(**(defaults | sections))


def blocks(count: int = IMAGES) -> Dataset:
    """Images with one bright square each, at one of four places."""
    generator = torch.Generator().manual_seed(0)
    images = torch.zeros(count, *IMAGE_SHAPE, dtype=torch.uint8)
    for image in images:
        row, column = torch.randint(0, 2, (2,), generator=generator).tolist()
        image[0, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3] = 250
    return Dataset("digits", "blocks", images, images, "sha256:0", (), IMAGE_SHAPE, {})


def backbone(config: ExperimentConfig) -> Lsgm:
    return Lsgm(build_vae(config, IMAGE_SHAPE)).eval()


class Recorder:
    """Reporter that keeps everything, and calls `on_step` after each step."""

    def __init__(self, on_step: Callable[[int], None] | None = None) -> None:
        self.records: list[Record] = []
        self.notes: list[str] = []
        self.steps: list[int] = []
        self._on_step = on_step

    def start(self, stage: str, done: int, total: int) -> None:
        self.total = total

    def advance(self, step: int, record: Record | None) -> None:
        self.steps.append(step)
        if record is not None:
            self.records.append(record)
        if self._on_step is not None:
            self._on_step(step)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None:
        pass


def set_posterior(vae: NVAE, group: int, channels: list[int], mean: float, log_sigma: float) -> None:
    """Make the posterior of some channels the same for all images."""
    layer = list(vae.decoder.steps())[group][1].sampler.conv
    size = vae.config.num_latent_per_group
    with torch.no_grad():
        for channel in channels:
            for row, value in ((channel, mean), (size + channel, log_sigma)):
                layer.log_norm[row], layer.bias[row] = -30.0, value


def folder(path: Path, name: str) -> Path:
    made = path / name
    made.mkdir()
    return made
