"""Parameter counts and names of the official VAEs (method.md: NVAE backbone), on the meta device."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import nn

from lsgm.config import VaeConfig
from lsgm.models.nvae import NVAE
from lsgm.models.outputs import build_output

CELEBA = {"arch": "res_mbconv", "num_channels": 64, "num_latent_per_group": 20, "num_flows": 2}
CELEBA |= {"progressive_input": "input_skip"}
BINARY = {"arch": "res_mbconv", "num_channels": 64, "num_latent_per_group": 20, "output": "bernoulli"}
CONFIGS = {
    "vae1": ({}, (3, 32, 32)),
    "vae3": (
        {"num_channels": 256, "num_pre_post_cells": 3, "num_groups_per_scale": 4, "num_latent_per_group": 45}
        | {"num_cells_per_group": 3, "num_flows": 2},
        (3, 32, 32),
    ),
    "mnist": (
        BINARY
        | {"channel_mult": (1, 2, 2), "num_preprocess_blocks": 2, "num_pre_post_cells": 3}
        | {"num_groups_per_scale": 2, "num_cells_per_group": 1},
        (1, 32, 32),
    ),
    "omniglot": (BINARY | {"num_groups_per_scale": 3, "num_cells_per_group": 3}, (1, 32, 32)),
    "celeba_quantitative": (
        CELEBA | {"channel_mult": (1, 1, 2, 4), "num_latent_scales": 3, "num_groups_per_scale": 8},
        (3, 256, 256),
    ),
    "celeba_qualitative": (
        CELEBA | {"channel_mult": (1, 1, 2), "num_latent_scales": 2, "num_groups_per_scale": 10},
        (3, 256, 256),
    ),
}
TOTALS = {
    "vae1": 100_867_740,
    "vae3": 130_622_772,
    "mnist": 3_005_822,
    "omniglot": 5_384_190,
    "celeba_quantitative": 51_296_572,
    "celeba_qualitative": 17_789_540,
}
# stem, pre-process, encoder tower with combiners, input skips, samplers, flows, latent convolutions, decoder tower,
# post-process, head, constant
PARTS = {
    "vae1": (3_712, 1_226_392, 48_861_312, 0, 830_160, 0, 14_940, 48_973_440, 776_848, 115_400, 65_536),
    "vae3": (
        *(7_424, 6_088_256, 57_861_504, 0, 1_659_600, 2_062_080),
        *(73_260, 58_216_832, 4_292_144, 230_600, 131_072),
    ),
    "mnist": (704, 1_293_352, 612_880, 0, 92_320, 0, 7_280, 481_552, 508_964, 578, 8_192),
    "celeba_quantitative": (
        *(1_856, 153_864, 26_799_832, 369_792, 1_292_160, 2_618_880),
        *(87_360, 19_586_764, 66_120, 57_800, 262_144),
    ),
}
PRIOR_SHAPES = {
    "vae1": (180, 16, 16),
    "vae3": (180, 16, 16),
    "mnist": (40, 8, 8),
    "omniglot": (60, 16, 16),
    "celeba_quantitative": (160, 32, 32),
    "celeba_qualitative": (200, 64, 64),
}


@cache
def _model(name: str) -> NVAE:
    settings, image_shape = CONFIGS[name]
    config = VaeConfig(**settings)
    with torch.device("meta"):
        return NVAE(config, image_shape, build_output(config.output))


def _count(modules: list[nn.Module | None]) -> int:
    return sum(parameter.numel() for module in modules if module is not None for parameter in module.parameters())


@pytest.mark.parametrize("name", CONFIGS)
def test_total_number_of_parameters(name: str) -> None:
    assert _count([_model(name)]) == TOTALS[name]


@pytest.mark.parametrize("name", PARTS)
def test_number_of_parameters_of_each_part(name: str) -> None:
    encoder, decoder = _model(name).encoder, _model(name).decoder
    groups = [group for _, group in decoder.steps()]
    counts = (
        _count([encoder.stem]),
        _count([encoder.preprocess]),
        _count([m for scale in encoder.scales for m in (scale.down, scale.groups)])
        + _count([group.encoder_combiner for group in groups]),
        _count([scale.input_skip for scale in encoder.scales]),
        _count([group.sampler for group in groups]),
        _count([group.flows for group in groups]),
        _count([group.latent_conv for group in groups]),
        _count([m for group in groups for m in (group.decoder_combiner, group.cells)])
        + _count([scale.up for scale in decoder.scales]),
        _count([decoder.postprocess]),
        _count([decoder.head]),
        decoder.constant.numel(),
    )
    assert counts == PARTS[name]
    assert sum(counts) == TOTALS[name]


@pytest.mark.parametrize("name", CONFIGS)
def test_latent_shapes(name: str) -> None:
    model = _model(name)
    config, (channels, side, _) = model.config, PRIOR_SHAPES[name]
    assert model.prior_shape == PRIOR_SHAPES[name]
    assert model.num_prior_groups * config.num_latent_per_group == channels
    expected = [
        (config.num_latent_per_group, side * 2**scale, side * 2**scale)
        for scale in range(config.num_latent_scales)
        for _ in range(config.num_groups_per_scale)
    ]
    assert model.latent_shapes == expected
