"""Official state dicts of the VAE to ours and back, on networks of every kind, and on the recorded ones."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest
import torch
from parity.official_networks import experiment
from torch import Tensor

from lsgm.compat.official.vae_names import official_state, official_vae_names, official_vae_state
from lsgm.config import VaeConfig
from lsgm.models.nvae import NVAE
from lsgm.models.outputs import build_output

TINY = {"num_channels": 4, "num_groups_per_scale": 2, "num_latent_per_group": 2, "num_cells_per_group": 2}
SCALES = {
    1: {"channel_mult": (1, 2), "num_latent_scales": 1},
    3: {"channel_mult": (1, 1, 2, 2, 3), "num_preprocess_blocks": 2, "num_latent_scales": 3},
}
SIZES = {
    "symmetric": {},
    "asymmetric": {"num_channels_decoder": 6, "num_post_cells": 3, "num_cells_per_group_decoder": 1},
}
SWITCHES = [
    {"num_flows": flows, "progressive_input": skip, "use_se": se}
    for flows, skip, se in ((2, "input_skip", True), (0, "none", True), (1, "none", False), (0, "input_skip", False))
]
ARCHS = ("res_bnswish", "res_mbconv")
KINDS = [
    pytest.param(arch, SCALES[scales] | SIZES[sizes] | SWITCHES[number % 4], id=f"{number}-{arch}-{scales}-{sizes}")
    for number, (arch, scales, sizes) in enumerate(product(ARCHS, SCALES, SIZES))
] + [
    pytest.param(arch, SCALES[3] | SIZES["asymmetric"] | switches, id=f"{arch}-{switches['num_flows']}")
    for arch, switches in product(ARCHS, SWITCHES[:3])
]
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@pytest.mark.parametrize(("arch", "settings"), KINDS)
def test_there_and_back(arch: str, settings: dict[str, object]) -> None:
    config = VaeConfig(**TINY, arch=arch, **settings)
    with torch.device("meta"):
        ours = NVAE(config, (3, 32, 32), build_output(config.output)).state_dict()
    # Names in place of tensors: each is unlike all others.
    values = {name: name for name in ours}
    official = official_state(values, config)
    assert official_vae_state(official, config) == values
    plain = [name for name in ours if name.endswith(".weight") and name.replace("weight", "log_norm") not in ours]
    plain = {name for name in plain if ours[name].ndim == 4}
    assert {official[name] for name in official if name.endswith("weight_normalized")} == plain
    assert bool(plain) == (arch == "res_mbconv")
    assert len(official) == len(ours) + len(plain)


@pytest.mark.parametrize("name", ["f_mnist", "f_cifar10", "f_cifar10_nf"])
def test_recorded_state_dicts(reference: Path, name: str) -> None:
    state = torch.load(reference / f"{name}_vae_state.pt", weights_only=True)
    arguments = json.loads((reference / f"{name}.json").read_text())["config"]["vada_args"]
    config = experiment(arguments).vae
    written = official_state(official_vae_state(state, config), config)
    assert list(written) == list(state)
    for key, tensor in state.items():
        assert torch.equal(written[key], tensor)
        assert written[key].dtype == tensor.dtype


def test_names_and_order_of_all_official_commands(reference: Path) -> None:
    for official in json.loads((reference / "f_full_params.json").read_text())["configs"].values():
        names = official_vae_names(experiment(official["vada_args"]).vae)
        assert [name for name in names if name.endswith(STATISTICS)] == list(official["vae"]["buffers"])
        parameters = [name for name in names if not name.endswith((*STATISTICS, "weight_normalized"))]
        assert parameters == list(official["vae"]["params"])


def _official() -> tuple[VaeConfig, dict[str, Tensor]]:
    config = VaeConfig(**TINY, arch="res_mbconv")
    state = NVAE(config, (3, 8, 8), build_output(config.output)).state_dict()
    return config, official_state(state, config)


def test_aliases_may_be_absent_and_share_the_memory_of_their_weight() -> None:
    config, state = _official()
    alias = "dec_tower.1._ops.0.conv.3.weight_normalized"
    assert state[alias].data_ptr() == state["dec_tower.1._ops.0.conv.3.weight"].data_ptr()
    ours = official_vae_state(state, config)
    without = {name: tensor for name, tensor in state.items() if not name.endswith("weight_normalized")}
    assert official_vae_state(without, config).keys() == ours.keys()


def test_an_alias_that_contradicts_its_weight_is_refused() -> None:
    config, state = _official()
    alias = "dec_tower.1._ops.0.conv.3.weight_normalized"
    with pytest.raises(ValueError, match=rf"^{alias} differs"):
        official_vae_state(state | {alias: state[alias] + 1e-6}, config)


def test_missing_and_left_over_tensors_are_all_named() -> None:
    config, state = _official()
    wrong = dict(state)
    del wrong["stem.bias"], wrong["eps_conv.1.weight"]
    wrong |= {"stem.weight_normalized": state["stem.weight"], "prior_ftr1": state["prior_ftr0"]}
    with pytest.raises(KeyError) as error:
        official_vae_state(wrong, config)
    assert error.value.args == ("missing: eps_conv.1.weight, stem.bias; left over: prior_ftr1, stem.weight_normalized",)
    ours = official_vae_state(state, config)
    with pytest.raises(KeyError, match=r"'left over: decoder\.other'"):
        official_state(ours | {"decoder.other": state["prior_ftr0"]}, config)
    del ours["decoder.constant"]
    with pytest.raises(KeyError, match=r"'missing: decoder\.constant'"):
        official_state(ours, config)
