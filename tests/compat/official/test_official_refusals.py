"""What a checkpoint may not be: each case is one line that starts with the path and names what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from compat.official.checkpoint_changes import having, poisoned, score, vae, with_args, without, without_arg
from compat.official.small_checkpoints import save, small_content

from lsgm.compat import official
from lsgm.config import ConfigError


def refusal(path: Path, **choices: object) -> str:
    """The message with which a file is refused, without the path at its start."""
    present = sorted(path.parent.iterdir())
    with pytest.raises(ConfigError) as caught:
        official.read(path, **choices)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert sorted(path.parent.iterdir()) == present
    return message.removeprefix(f"{path}: ")


def refusal_of(content: object, folder: Path, **choices: object) -> str:
    return refusal(save(content, folder / "checkpoint.pt"), **choices)


itself: list[object] = []
itself.append(itself)

STRUCTURE = {
    "not a dict": (lambda content: [content], "holds a list, not"),
    "no names": (lambda content: {1: content}, "holds a dict, not"),
    "a state dict by itself": (lambda content: content["vae_state_dict"], "has no entry 'args'"),
    "no args": (without("args"), "has no entry 'args'"),
    "args are no arguments": (having(args=[1, 2]), "'args' are of type list"),
    "args without names": (having(args={1: 2}), "'args' are of type dict"),
    "a tensor among the arguments": (with_args(seed=torch.ones(3)), r"args.seed is of type Tensor"),
    "a dict among the arguments": (with_args(seed={}), r"args.seed is of type dict"),
    "a list in a list": (with_args(channel_mult=itself), r"args.channel_mult is of type list"),
    "no VAE": (without("vae_state_dict"), "neither 'vae_state_dict' nor 'state_dict'"),
    "two VAEs": (having(state_dict={"stem.weight": torch.ones(1)}), "'state_dict' are not the same weights"),
    "more weights by name": (having(gan_state_dict={}), "weights in 'gan_state_dict' have no place"),
    "more weights by content": (having(teacher={"a.weight": torch.ones(1)}), "weights in 'teacher' have no place"),
    "no number of steps": (having(global_step="many"), "global_step = 'many' is not"),
    "no number of epochs": (having(epoch=float("nan")), "epoch = nan is not"),
    "negative epochs": (having(epoch=-1), "epoch = -1 is not"),
    "a score network that is none": (having(dae_state_dict=3), "dae_state_dict is not a state dict"),
    "an empty state dict": (having(vae_state_dict={}), "vae_state_dict is not a state dict"),
    "a state dict without names": (having(vae_state_dict={0: torch.ones(1)}), "vae_state_dict is not a state dict"),
    "a name of two lines": (having(vae_state_dict={"a\nb": torch.ones(1)}), "vae_state_dict is not a state dict"),
}
FIRST_CONV = "pre_process.0._ops.0.conv_0.weight"
COUNTER = "pre_process.0._ops.0.bn_act.num_batches_tracked"
NORM_MEAN = "pre_process.0._ops.0.bn_act.running_mean"
TENSORS = {
    "no tensor": (vae("stem.weight", 3.0), "stem.weight is not a tensor but of type float"),
    "true and false": (vae(NORM_MEAN, lambda old: old > 0), r"running_mean is torch.bool"),
    "complex": (vae("stem.bias", lambda old: old.to(torch.complex64)), "stem.bias is torch.complex64"),
    "sparse": (vae("stem.bias", lambda old: old.to_sparse()), "stem.bias is torch.float32, torch.sparse_coo"),
    "without data": (vae("stem.bias", lambda old: old.to("meta")), "stem.bias is .* on meta"),
    "larger than its file": (vae("stem.bias", torch.ones(1).expand(10**12)), "stem.bias is .*plain numbers"),
    "whole numbers": (vae("stem.bias", lambda old: old.long()), "stem.bias was saved as whole numbers"),
    "no whole numbers": (vae(COUNTER, lambda old: old.float()), "num_batches_tracked was saved as whole"),
    "not finite": (vae("stem.weight", poisoned), "vae_state_dict: stem.weight has entries that are not finite"),
    "not finite, score": (score("mixing_logit", poisoned), "mixing_logit has entries that are not finite"),
    "too exact": (vae("stem.bias", lambda old: old.double() / 3), "stem.bias is torch.float64 and does not fit"),
    "a second weight": (
        vae("dec_tower.1._ops.0.conv.3.weight_normalized", lambda old: old + 1),
        "conv.3.weight_normalized differs from the weight",
    ),
    "missing, VAE": (
        vae("eps_conv.1.bias", None),
        r"lacks eps_conv.1.bias \(1 such tensors\); compare num_groups_per_scale",
    ),
    "missing constant": (vae("prior_ftr0", None), "lacks prior_ftr0"),
    "constant of two axes": (vae("prior_ftr0", lambda old: old[0]), r"prior_ftr0 is \[4, 4\], expected 3"),
    "left over, VAE": (vae("gan.weight", torch.ones(1)), r"has gan.weight \(1 such tensors\), which has no place"),
    "missing, score": (score("all_modules.0.bias", None), r"dae_state_dict lacks all_modules.0.bias \(1 such"),
    "left over, score": (score("ema.weight", torch.ones(1)), r"dae_state_dict has ema.weight \(1 such"),
    "no logits": (score("mixing_logit", None), r"dae_state_dict lacks mixing_logit.*mixed_prediction"),
}
CONTRADICTIONS = {
    "encoder's width": (
        with_args(num_channels_enc=16),
        r"stem.weight is \[8, 1, 3, 3\], but its args mean \[16, 1, 3, 3\]; compare num_channels_enc",
    ),
    "encoder's width beyond memory": (with_args(num_channels_enc=10**6), r"its args mean \[1000000, 1, 3, 3\]"),
    "encoder's width beyond counting": (with_args(num_channels_enc=10**12), "describe no network that can be built"),
    "decoder's width": (with_args(num_channels_dec=12), "is .*but its args mean .*compare num_channels_dec"),
    "latents": (with_args(num_latent_per_group=4), r"but its args mean .*compare .*num_latent_per_group"),
    "groups": (with_args(num_groups_per_scale=3), r"lacks .*compare .*num_groups_per_scale"),
    "fewer groups": (with_args(num_groups_per_scale=1), r"has .*no place .*compare .*num_groups_per_scale"),
    "groups beyond time": (with_args(num_groups_per_scale=4000), "args describe a VAE of 8002 cells, but .* only"),
    "cells": (with_args(num_cell_per_cond_enc=2), r"compare .*num_cell_per_cond_enc"),
    "halvings": (with_args(num_preprocess_blocks=2, num_postprocess_blocks=2), "channel_mult"),
    "halvings beyond time": (with_args(num_preprocess_blocks=10**9), "num_preprocess_blocks = 1000000000 in its args"),
    "no halvings": (without_arg("num_preprocess_blocks"), "its args lack num_preprocess_blocks"),
    "a word for a number": (with_args(num_latent_scales="one"), "num_latent_scales = 'one' in its args"),
    "score network's levels": (with_args(num_scales_dae=3), "has 10 residual blocks, but num_scales_dae = 3 and"),
    "score network's cells": (with_args(num_cell_per_scale_dae=2), "has 10 residual blocks, but .* mean 14"),
    "score network's width": (
        with_args(num_channels_dae=16),
        r"levels have \[8, 16\] channels, but num_channels_dae = 16",
    ),
    "score network's half width": (with_args(num_channels_dae=4), r"\[8, 16\] channels, but num_channels_dae = 4 in"),
    "score network's other width": (
        score("all_modules.5.Conv_0.weight", torch.ones(12, 8, 3, 3)),
        r"levels have \[8, 12\] channels",
    ),
    "embedding": (with_args(embedding_dim=16), r"all_modules.0.weight is \[32, 8\], .* compare .*embedding_dim"),
    "unknown data set": (with_args(dataset="imagenet"), "dataset = 'imagenet'"),
    "unknown cells": (with_args(arch_instance="res_unknown"), "arch_instance = 'res_unknown'"),
}


@pytest.mark.parametrize("case", STRUCTURE)
def test_structure(tmp_path, case):
    change, expected = STRUCTURE[case]
    assert re.search(expected, refusal_of(change(small_content()), tmp_path))


@pytest.mark.parametrize("case", TENSORS)
def test_tensors(tmp_path, case):
    change, expected = TENSORS[case]
    assert re.search(expected, refusal_of(change(small_content()), tmp_path))


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_shapes_that_contradict_the_arguments(tmp_path, case):
    change, expected = CONTRADICTIONS[case]
    assert re.search(expected, refusal_of(change(small_content()), tmp_path))


@pytest.mark.parametrize("is_vae", [False, True])
def test_the_other_kind(tmp_path, is_vae):
    found, wanted = ("a VAE of stage 1", "an LSGM") if is_vae else ("an LSGM", "a VAE of stage 1")
    message = refusal_of(small_content(is_vae), tmp_path, kind="lsgm" if is_vae else "vae")
    assert re.fullmatch(rf"holds {found}.*, not {wanted}.* as asked for", message)


def test_no_file(tmp_path):
    assert refusal(tmp_path / "checkpoint.pt") == "no such checkpoint"
    (tmp_path / "folder.pt").mkdir()
    assert refusal(tmp_path / "folder.pt") == "no such checkpoint"


@pytest.mark.parametrize("start", [b"", b"PK", b"not a checkpoint", b"\x89PNG\r\n\x1a\n"])
def test_another_format(tmp_path, start):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(start)
    assert "not a checkpoint of torch.save" in refusal(path)
