"""The seven VAEs of the official commands, from the arguments recorded with the reference vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from lsgm.config import VaeConfig
from lsgm.models.nvae import NVAE
from lsgm.models.outputs import build_output

OUTPUT_NAMES = {"bin": "bernoulli", "dml": "discretised_logistic_mixture"}
IMAGE_SHAPES = {"mnist": (1, 32, 32), "omniglot": (1, 32, 32), "cifar10": (3, 32, 32), "celeba_256": (3, 256, 256)}


def official_arguments(path: Path) -> dict[str, object]:
    """Arguments of the VAE that a reference file belongs to; `path` is the .json beside it."""
    return json.loads(path.read_text())["config"]["vae_args"]


def vae_config(args: Mapping) -> VaeConfig:
    """Our settings for official arguments."""
    return VaeConfig(
        arch=args["arch_instance"],
        num_channels=args["num_channels_enc"],
        channel_mult=tuple(args["channel_mult"]),
        num_preprocess_blocks=args["num_preprocess_blocks"],
        num_pre_post_cells=args["num_preprocess_cells"],
        num_latent_scales=args["num_latent_scales"],
        num_groups_per_scale=args["num_groups_per_scale"],
        num_latent_per_group=args["num_latent_per_group"],
        num_cells_per_group=args["num_cell_per_cond_enc"],
        num_flows=args["num_nf"],
        progressive_input=args["progressive_input_vae"],
        use_se=args["use_se"],
        log_sigma_limit=args["log_sig_q_scale"],
        output=OUTPUT_NAMES[args["decoder_dist"]],
    )


def official_vae(args: Mapping, device: str = "cpu") -> NVAE:
    """The VAE that official arguments describe; likelihoods of binary sets leave out a margin of 2 pixels."""
    config = vae_config(args)
    output = build_output(config.output, args["num_x_bits"])
    with torch.device(device):
        return NVAE(config, IMAGE_SHAPES[args["dataset"]], output, crop=2 if args["decoder_dist"] == "bin" else 0)
