"""The networks that are measured: sizes of the paper's runs, a small one, and each way of training them.

A test compares these settings with the files in config/experiments, which an installed package does not have. The data
are random bytes of the right shape: no value in a training step costs more than another.
"""

from __future__ import annotations

from dataclasses import dataclass

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

PRETRAINING = "pretraining"
ALGORITHMS: dict[str, tuple[ObjectiveConfig, bool]] = {
    "algorithm 1": (ObjectiveConfig(weighting="ll"), True),
    "algorithm 2, joint": (ObjectiveConfig(weighting="un", q_time="ll"), True),
    "algorithm 2, disjoint": (ObjectiveConfig(weighting="un", q_time="ll", disjoint=True), True),
    "algorithm 3": (ObjectiveConfig(weighting="un"), True),
    "prior only": (ObjectiveConfig(weighting="un"), False),
}
"""Ways of the joint stage: objective, and whether the VAE is trained."""

MNIST_PAD = 2
MNIST_VAE = VaeConfig(
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
MNIST_PRIOR = PriorConfig(channel_mult=(1, 1), fir=False, mixing_logit_init=-6.0)
SMALL_VAE = VaeConfig(
    num_channels=8,
    num_pre_post_cells=1,
    num_groups_per_scale=2,
    num_latent_per_group=4,
    num_cells_per_group=1,
    output="bernoulli",
)
SMALL_PRIOR = PriorConfig(channel_mult=(1, 1), num_cells_per_scale=1, attention_resolutions=())
CIFAR10_VAE = VaeConfig(num_preprocess_blocks=1, channel_mult=(1, 2))
CIFAR10_PRIOR = PriorConfig()


@dataclass(frozen=True)
class Network:
    """One pair of VAE and score network with its images.

    Attributes:
        title: in tables.
        data: how bytes become inputs.
        image_shape: (C, H, W) of the raw images.
        vae: sizes.
        prior: sizes.
        sr_coeff_sgm: coefficient of the score network's regulariser, as the run has it.
        sr_sgm_convs: whether its convolutions count in that.
    """

    title: str
    data: DataConfig
    image_shape: tuple[int, int, int]
    vae: VaeConfig
    prior: PriorConfig
    sr_coeff_sgm: float
    sr_sgm_convs: bool

    def config(
        self,
        way: str,
        batch_size: int = 16,
        precision: str = "float32",
        **loop: object,
    ) -> ExperimentConfig:
        """Settings of one way of training: `pretraining`, or a name in `ALGORITHMS`.

        Args:
            way: which.
            batch_size: images in a step.
            precision: type of the networks' arithmetic.
            loop: further settings of the stage's loop.
        """
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

    def batches(self, config: ExperimentConfig, device: torch.device, steps_per_epoch: int = 4) -> TrainBatches:
        """Batches of random images, enough for an epoch of so many steps."""
        size = config.pretrain.batch_size if config.is_vae else config.train.batch_size
        generator = torch.Generator().manual_seed(0)
        shape = (steps_per_epoch * size, *self.image_shape)
        images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
        return TrainBatches(images, config.data, size, config.seed, device)


def mnist(channels: int = 256, side: int = 32) -> Network:
    """The paper's MNIST run, its score network `channels` wide, on images of `side` pixels with their padding."""
    prior = MNIST_PRIOR.model_copy(update={"num_channels": channels})
    data, raw = DataConfig(name="mnist", binarise=True, pad=MNIST_PAD), side - 2 * MNIST_PAD
    return Network(f"MNIST, {channels} channels", data, (1, raw, raw), MNIST_VAE, prior, 0.0, True)


def cifar10() -> Network:
    """The paper's CIFAR-10 run with the best FID."""
    data = DataConfig(name="cifar10", flip=True)
    return Network("CIFAR-10", data, (3, 32, 32), CIFAR10_VAE, CIFAR10_PRIOR, 1.0e-2, False)


def small(channels: int = 16, side: int = 8) -> Network:
    """Networks so small that what surrounds them is a large part of a step."""
    prior = SMALL_PRIOR.model_copy(update={"num_channels": channels})
    return Network("small", DataConfig(name="digits", binarise=True), (1, side, side), SMALL_VAE, prior, 1.0e-2, True)
