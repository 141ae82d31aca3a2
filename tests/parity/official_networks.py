"""The published networks, rebuilt from their arguments and tensors by the code that reads their checkpoints."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from torch import Tensor

from lsgm.compat.official.arguments import experiment_of
from lsgm.compat.official.score_names import from_official
from lsgm.compat.official.vae_names import official_vae_state
from lsgm.config import DataConfig, ExperimentConfig, VaeConfig
from lsgm.models import Lsgm, MixedScorePrior, build_lsgm, build_output
from lsgm.models.nvae import NVAE
from lsgm.models.score import ScoreNetwork
from lsgm.sde import build_sde

PADDED = {"mnist": (1, 32, 32), "omniglot": (1, 32, 32), "cifar10": (3, 32, 32), "celeba_256": (3, 256, 256)}
WIDTHS = {2: (1, 1), 3: (1, 1, 1), 4: (1, 2, 2, 2), 5: (1, 1, 2, 2, 2)}
"""Widths of the score network by its number of levels; the published code fixes them."""


def experiment(arguments: Mapping[str, object]) -> ExperimentConfig:
    """Our settings for the arguments of a stage-2 run."""
    widths = WIDTHS[arguments["num_scales_dae"]]
    return experiment_of(arguments, PADDED[arguments["dataset"]], widths, "reference vectors")


def build(arguments: Mapping[str, object]) -> Lsgm:
    """The model of a stage-2 run with fresh weights."""
    config = experiment(arguments)
    return build_lsgm(config, image_shape(arguments, config))


def outline(arguments: Mapping[str, object]) -> Lsgm:
    """The model of a stage-2 run on the meta device."""
    config = experiment(arguments)
    sde = build_sde(config.sde)  # it computes, so not there
    vae = _vae_outline(config.vae, config.data, image_shape(arguments, config))
    with torch.device("meta"):
        return Lsgm(vae, MixedScorePrior(config.prior, vae.prior_shape, sde))


@cache
def _vae_outline(config: VaeConfig, data: DataConfig, shape: tuple[int, int, int]) -> NVAE:
    """Cached: two published models share their VAE, which has more than a thousand layers."""
    channels, *sides = shape
    padded = (channels, *(side + 2 * data.pad for side in sides))
    with torch.device("meta"):
        return NVAE(config, padded, build_output(config.output, data.num_bits), crop=data.pad)


def image_shape(arguments: Mapping[str, object], config: ExperimentConfig) -> tuple[int, int, int]:
    """(C, H, W) of the images before they are padded."""
    channels, *sides = PADDED[arguments["dataset"]]
    return (channels, *(side - 2 * config.data.pad for side in sides))


def full_width(arguments: Mapping[str, object], shapes: Mapping[str, Mapping]) -> tuple[NVAE, ScoreNetwork]:
    """Both networks with the weights of the recipe, which no file holds; no time is spent on fresh weights.

    Args:
        arguments: of the stage-2 run.
        shapes: the entry of this configuration in f_full_params.json.
    """
    model = outline(arguments)
    vae, network = model.vae, model.prior.network
    vae.load_state_dict(official_vae_state(_recipes(shapes["vae"]), vae.config), assign=True)
    tensors = _recipes(shapes["sgm"])
    del tensors["mixing_logit"]
    network.load_state_dict(from_official(network, tensors), assign=True)
    return vae.eval(), network.eval()


def load_vae(vae: NVAE, state: Mapping[str, Tensor]) -> None:
    """Give a VAE published tensors."""
    vae.load_state_dict(official_vae_state(state, vae.config))


def load_prior(prior: MixedScorePrior, state: Mapping[str, Tensor]) -> None:
    """Give a prior published tensors, its mixing logits among them."""
    tensors = dict(state)
    prior.mixing_logit.data.copy_(tensors.pop("mixing_logit"))
    prior.network.load_state_dict(from_official(prior.network, tensors))


def _recipes(part: Mapping[str, Mapping[str, list[int]]]) -> dict[str, Tensor]:
    shapes = part["params"] | part["buffers"]
    return {name: torch.from_numpy(_recipe(name, shape).astype(np.float32)) for name, shape in shapes.items()}


def _recipe(name: str, shape: list[int]) -> np.ndarray:
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape)
    draws = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if name == "mixing_logit":
        return draws
    if name.endswith(("log_weight_norm", "running_mean")):
        return 0.1 * draws
    if name.endswith("running_var"):
        return np.exp(0.2 * draws)
    if name == "prior_ftr0":
        return 0.5 + 0.3 * draws
    if len(shape) == 1:
        return 1 + 0.2 * draws if name.endswith("weight") else 0.1 * draws
    return draws / np.sqrt(shape[0] if name.endswith(".W") else np.prod(shape[1:]))
