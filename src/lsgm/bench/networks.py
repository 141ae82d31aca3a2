"""What is measured: networks of the paper's sizes, ways of training them, and how much of everything, by scale.

A test compares these settings with the files in config/experiments, which an installed package does not have. The data
are random bytes of the right shape: no value in a training step costs more than another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from lsgm.config import (
    DataConfig,
    ExperimentConfig,
    KlSchedule,
    ObjectiveConfig,
    PretrainConfig,
    PriorConfig,
    TrainConfig,
    VaeConfig,
)
from lsgm.data import TrainBatches

STEPS_PER_EPOCH = 4
PRETRAINING = "pretraining"
# Ways of the joint stage: objective, and whether the VAE is trained.
ALGORITHMS: dict[str, tuple[ObjectiveConfig, bool]] = {
    "algorithm 1": (ObjectiveConfig(weighting="ll"), True),
    "algorithm 2, joint": (ObjectiveConfig(weighting="un", q_time="ll"), True),
    "algorithm 2, disjoint": (ObjectiveConfig(weighting="un", q_time="ll", disjoint=True), True),
    "algorithm 3": (ObjectiveConfig(weighting="un"), True),
    "prior only": (ObjectiveConfig(weighting="un"), False),
}
WAYS = (PRETRAINING, *ALGORITHMS)


@dataclass(frozen=True)
class Network:
    """One pair of VAE and score network with its images."""

    title: str
    data: DataConfig
    image_shape: tuple[int, int, int]  # of the raw images
    vae: VaeConfig
    prior: PriorConfig
    sr_coeff_sgm: float = 1.0e-2
    sr_sgm_convs: bool = False

    def config(self, way: str, batch_size: int = 16, precision: str = "float32", **loop: object) -> ExperimentConfig:
        """Settings of one of the `WAYS` of training; `loop` are further ones of the stage's loop."""
        objective, trains_vae = (ObjectiveConfig(), True) if way == PRETRAINING else ALGORITHMS[way]
        common = {"batch_size": batch_size, "precision": precision, "epochs": 1000, "warmup_epochs": 1, **loop}
        return ExperimentConfig(
            name="bench",
            backbone=None if way == PRETRAINING else "bench",
            data=self.data,
            vae=self.vae,
            prior=self.prior,
            objective=objective,
            pretrain=PretrainConfig(**common),
            train=TrainConfig(
                train_vae=trains_vae,
                sr_coeff_sgm=self.sr_coeff_sgm,
                sr_sgm_convs=self.sr_sgm_convs,
                kl=KlSchedule(start=0.7, end=1.0),
                **common,
            ),
        )

    def batches(self, config: ExperimentConfig, device: torch.device) -> TrainBatches:
        """Batches of random images, enough for a short epoch."""
        size = config.pretrain.batch_size if config.is_vae else config.train.batch_size
        generator = torch.Generator().manual_seed(0)
        shape = (STEPS_PER_EPOCH * size, *self.image_shape)
        images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
        return TrainBatches(images, config.data, size, config.seed, device)


def mnist(channels: int = 256) -> Network:
    """The paper's MNIST run, its score network `channels` wide."""
    vae = VaeConfig(
        arch="res_mbconv",
        num_channels=64,
        channel_mult=(1, 2, 2),
        num_preprocess_blocks=2,
        num_pre_post_cells=3,
        num_groups_per_scale=2,
        num_latent_per_group=20,
        num_cells_per_group=1,
        output="bernoulli",
    )
    prior = PriorConfig(num_channels=channels, channel_mult=(1, 1), fir=False, mixing_logit_init=-6.0)
    data = DataConfig(name="mnist", binarise=True, pad=2)
    return Network(f"MNIST, {channels} channels", data, (1, 28, 28), vae, prior, 0.0, sr_sgm_convs=True)


def cifar10() -> Network:
    """The paper's CIFAR-10 run with the best FID."""
    vae = VaeConfig(num_preprocess_blocks=1, channel_mult=(1, 2))
    return Network("CIFAR-10", DataConfig(name="cifar10", flip=True), (3, 32, 32), vae, PriorConfig())


def small() -> Network:
    """Networks for tests."""
    vae = VaeConfig(
        num_channels=8,
        num_pre_post_cells=1,
        num_groups_per_scale=2,
        num_latent_per_group=4,
        num_cells_per_group=1,
        output="bernoulli",
    )
    prior = PriorConfig(num_channels=16, channel_mult=(1, 1), num_cells_per_scale=1, attention_resolutions=())
    return Network("small", DataConfig(name="digits", binarise=True), (1, 8, 8), vae, prior, sr_sgm_convs=True)


RECOMPUTED = {"activations recomputed": {"checkpoint_activations": True}}
OTHER_OPTIONS = {"batch in four parts": {"accumulate": 4}, "compiled": {"compile": True}}


@dataclass(frozen=True)
class Scale:
    """How much is measured: seconds for a test, minutes for the MNIST networks, the CIFAR-10 ones on a GPU."""

    name: str
    networks: tuple[Network, ...]  # options and samplers take the first one
    batch: int = 16  # images in a step, samples in a batch
    rounds: int = 5
    memory: tuple[str, ...] = WAYS  # ways of training whose peak memory is measured, each in a process of its own
    options: Mapping[str, Mapping[str, object]] = field(default_factory=lambda: RECOMPUTED | OTHER_OPTIONS)
    evaluations: tuple[int, ...] = (10, 20)  # of samplers that take a number of them
    steps: int = 100  # of the stochastic samplers
    tolerances: tuple[float, ...] = (1e-2, 1e-3, 1e-5)  # of adaptive solvers; others are compared with the last
    latent: tuple[int, int, int] = (10, 16, 16)  # of the mixture on which errors are measured
    likelihood_steps: tuple[int, ...] = (25, 50, 75)


QUICK = Scale(
    name="quick",
    networks=(small(),),
    batch=8,
    rounds=3,
    memory=("algorithm 3",),
    options=RECOMPUTED,
    evaluations=(6, 10),
    steps=10,
    tolerances=(1e-2, 1e-3),
    latent=(2, 4, 4),
    likelihood_steps=(10,),
)
SCALES = {"quick": QUICK, "mnist": Scale("mnist", (mnist(64), mnist(256))), "cifar10": Scale("cifar10", (cifar10(),))}
