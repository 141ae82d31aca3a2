"""Small checkpoints as the authors' scripts would save them, and what makes them wrong."""

from __future__ import annotations

import argparse
import io
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from lsgm.compat import official
from lsgm.config import DataConfig, ExperimentConfig, PriorConfig, VaeConfig
from lsgm.models import Lsgm, build_lsgm

IMAGE_SHAPE = (1, 8, 8)


def small_settings(is_vae: bool = False, **prior: object) -> ExperimentConfig:
    """An LSGM (or its backbone) with a 6x4x4 latent and levels of 8 and 16 channels."""
    sizes = {"num_channels": 8, "channel_mult": (1, 2), "num_cells_per_scale": 1, "embedding_dim": 8, "fir": False}
    return ExperimentConfig(
        name="small",
        backbone=None if is_vae else "backbone",
        data=DataConfig(name="digits", binarise=True),
        vae=VaeConfig(
            arch="res_mbconv",
            num_channels=8,
            num_pre_post_cells=1,
            num_groups_per_scale=2,
            num_latent_per_group=3,
            num_cells_per_group=1,
            output="bernoulli",
        ),
        prior=PriorConfig(**(sizes | prior)),
    )


def small_model(config: ExperimentConfig) -> Lsgm:
    """A model in which every tensor, buffers included, differs from that of a fresh one."""
    model = build_lsgm(config, IMAGE_SHAPE, seed=5)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not tensor.is_floating_point():
                tensor.fill_(len(name))
            elif name != "prior.active":
                tensor.copy_(torch.rand(tensor.shape, generator=generator) - 0.3)
    return model.eval()


def small_content(is_vae: bool = False, **prior: object) -> dict:
    """Entries of a checkpoint, `args` a Namespace; a fresh copy at each call."""
    with torch.serialization.safe_globals([argparse.Namespace]):
        return torch.load(io.BytesIO(_small_file(is_vae, tuple(prior.items()))), weights_only=True)


@cache
def _small_file(is_vae: bool, prior: tuple[tuple[str, object], ...]) -> bytes:
    config = small_settings(is_vae, **dict(prior))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        official.write(path, small_model(config), config, IMAGE_SHAPE, steps=7, epochs=2)
        return path.read_bytes()


def with_average(content: dict) -> dict:
    """Add an optimiser whose average of each tensor is the tensor plus one."""
    names = list(content["dae_state_dict"])
    tensors = content["dae_state_dict"].values()
    state = {index: {"step": 7, "exp_avg": 0 * value, "ema": value + 1} for index, value in enumerate(tensors)}
    groups = [{"lr": 1e-3, "params": list(range(len(names)))}]
    return content | {"dae_optimizer": {"state": state, "param_groups": groups}}


def save(content: object, path: Path, legacy: bool = False) -> Path:
    """Write what is given, in the zip format or the one before it."""
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path
