"""Decoders that differ from their encoder in width and numbers of cells: counts by the rules of."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from lsgm.config import VaeConfig
from lsgm.models.nvae import NVAE
from lsgm.models.outputs import build_output

LARGE = {"arch": "res_mbconv", "num_channels": 64, "channel_mult": (1, 1, 2, 4), "num_latent_scales": 3}
LARGE |= {"num_groups_per_scale": 8, "num_latent_per_group": 20, "num_flows": 2, "progressive_input": "input_skip"}
DECODER = {"num_channels_decoder": 40, "num_post_cells": 4, "num_cells_per_group_decoder": 3}


def conv(c_in: int, c_out: int, k: int, bias: bool = True, groups: int = 1) -> int:
    return c_out * (c_in // groups) * k * k + c_out + c_out * bias


def se(c: int) -> int:
    h = max(c // 16, 4)
    return c * h + h + h * c + c


def bnswish(c_in: int, c_out: int) -> int:
    return 2 * c_in + conv(c_in, c_out, 3) + 2 * c_out + conv(c_out, c_out, 3) + se(c_out)


def mconv(c_in: int, c_out: int, expansion: int) -> int:
    h = expansion * c_in
    return 2 * c_in + c_in * h + 2 * h + 25 * h + 2 * h + h * c_out + 2 * c_out + se(c_out)


def count(config: VaeConfig, n_pre: int, n_post: int, n_e: int, n_d: int, c_d: int, side: int, head: int) -> int:
    """Parameters for colour images; sizes that may differ between the halves are given as numbers."""
    c_e, mult, z = config.num_channels, config.channel_mult, config.num_latent_per_group
    blocks, scales, groups = config.num_preprocess_blocks, config.num_latent_scales, config.num_groups_per_scale
    is_mbconv = config.arch == "res_mbconv"

    def tower(c_in: int, c_out: int) -> int:
        return mconv(c_in, c_out, 6) if is_mbconv else bnswish(c_in, c_out)

    def post(c_in: int, c_out: int) -> int:
        return mconv(c_in, c_out, 3) if is_mbconv else bnswish(c_in, c_out)

    total = conv(3, c_e, 3) + conv(c_d, head, 3) + c_d * mult[-1] * (side // 2 ** (blocks + scales - 1)) ** 2
    for fine, coarse in pairwise(mult[: blocks + 1]):
        # The four convolutions of the way down have as many weights as one.
        total += (n_pre - 1) * bnswish(c_e * fine, c_e * fine)
        total += conv(c_e * fine, c_e * coarse, 1) + bnswish(c_e * fine, c_e * coarse)
        total += (n_post - 1) * post(c_d * fine, c_d * fine)
        total += conv(c_d * coarse, c_d * fine, 1, bias=False) + post(c_d * coarse, c_d * fine)
    for m in mult[blocks:]:
        total += groups * n_e * bnswish(c_e * m, c_e * m) + groups * n_d * tower(c_d * m, c_d * m)
        total += groups * (conv(c_d * m, c_e * m, 1) + conv(c_e * m, 2 * z, 3) + conv(z, z, 3))
        total += groups * conv(c_d * m + z, c_d * m, 1)
    total -= conv(c_d * mult[-1], c_e * mult[-1], 1)
    for fine, coarse in pairwise(mult[blocks:]):
        total += conv(c_e * fine, c_e * coarse, 1) + bnswish(c_e * fine, c_e * coarse)
        total += conv(c_d * coarse, c_d * fine, 1, bias=False) + tower(c_d * coarse, c_d * fine)
        if config.progressive_input == "input_skip":
            total += 2 * c_e * fine + conv(c_e * fine, c_e * coarse, 3)
    flow = conv(z, 6 * z, 3, bias=False) + conv(6 * z, 6 * z, 5, bias=False, groups=6 * z) + conv(6 * z, z, 1)
    return total + scales * groups * config.num_flows * 2 * flow


def _model(settings: dict[str, object], side: int) -> NVAE:
    config = VaeConfig(**settings)
    with torch.device("meta"):
        return NVAE(config, (3, side, side), build_output(config.output))


def test_the_rules_give_the_published_count() -> None:
    assert count(VaeConfig(**LARGE), n_pre=2, n_post=2, n_e=2, n_d=2, c_d=64, side=256, head=100) == 51_296_572


@pytest.mark.parametrize("arch", ["res_mbconv", "res_bnswish"])
def test_count_of_an_asymmetric_network(arch: str) -> None:
    settings = LARGE | DECODER | {"arch": arch, "num_groups_per_scale": 2}
    found = sum(parameter.numel() for parameter in _model(settings, side=64).parameters())
    expected = count(VaeConfig(**settings), n_pre=2, n_post=4, n_e=2, n_d=3, c_d=40, side=64, head=100)
    assert found == expected


def test_spelling_out_the_defaults_changes_nothing() -> None:
    settings = {"num_channels": 8, "num_groups_per_scale": 2, "num_cells_per_group": 3, "num_pre_post_cells": 1}
    same = {"num_channels_decoder": 8, "num_cells_per_group_decoder": 3, "num_post_cells": 1}
    first, second = (
        {name: tensor.shape for name, tensor in _model(given, side=16).state_dict().items()}
        for given in (settings, settings | same)
    )
    assert first == second


def test_widths_of_both_halves() -> None:
    model = _model(LARGE | DECODER | {"num_groups_per_scale": 1}, side=64)
    assert model.decoder.constant.shape == (160, 8, 8)
    assert [len(group.cells) for _, group in model.decoder.steps()] == [3, 3, 3]
    assert [group.sampler.conv.in_channels for _, group in model.decoder.steps()] == [256, 128, 64]
    combiners = [group.encoder_combiner for _, group in model.decoder.steps()]
    assert combiners[0] is None
    assert [(c.in_channels, c.out_channels) for c in combiners[1:]] == [(80, 128), (40, 64)]
    assert (len(model.encoder.preprocess), len(model.decoder.postprocess)) == (2, 4)
    assert model.decoder.head.in_channels == 40
