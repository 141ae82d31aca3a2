"""Checkpoints of the authors' scripts become models: numbers against the published code, and every form they have."""

from __future__ import annotations

import argparse
import json
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from compat.official.small_checkpoints import IMAGE_SHAPE, save, small_content, small_model, small_settings
from torch import Tensor
from torch.serialization import add_safe_globals, clear_safe_globals, get_safe_globals

from lsgm.compat import official
from lsgm.config import ConfigError

RAW_SHAPES = {"f_mnist": (1, 28, 28), "f_cifar10": (3, 32, 32), "f_cifar10_nf": (3, 32, 32)}


def published(reference: Path, name: str, stage: int) -> dict:
    """The entries that the script of this stage would save for the network of a reference file."""
    arguments = json.loads((reference / f"{name}.json").read_text())["config"]
    states = {
        part: torch.load(reference / f"{name}_{part}_state.pt", weights_only=True)
        for part in ("vae", "sgm")[: stage + 1]
    }
    if stage == 1:
        return {"args": argparse.Namespace(**arguments["vae_args"]), "state_dict": states["vae"]}
    args = argparse.Namespace(**arguments["vada_args"])
    return {"args": args, "vae_state_dict": states["vae"], "dae_state_dict": states["sgm"]}


def close(found: Tensor, expected: np.ndarray) -> None:
    # Some float64 results are stored as float32.
    tolerance = 1e-9 if expected.dtype == np.float64 else 1e-6
    wanted = torch.from_numpy(expected)
    size = max(1.0, wanted.abs().max().item())
    torch.testing.assert_close(found.to(wanted.dtype), wanted, rtol=0, atol=tolerance * size)


def check_vae(model: torch.nn.Module, arrays: np.lib.npyio.NpzFile) -> None:
    vae = model.vae
    x = 2 * torch.from_numpy(arrays["x"]).double() - 1
    noises = [torch.from_numpy(arrays[f"noise_{index:02}"]).double() for index in range(len(vae.latent_shapes))]
    with torch.no_grad():
        result = vae(x, noises)
    for index, (latent, log_q) in enumerate(zip(result.latents, result.log_q, strict=True)):
        close(latent, arrays[f"eval/z_{index:02}__f64"])
        close(log_q, arrays[f"eval/log_q_{index:02}__f64"])
    close(result.params, arrays["eval/logits__f64"])
    close(vae.reconstruction(result.params, x), arrays["eval/recon_loss__f64"])


@pytest.mark.parametrize("name", RAW_SHAPES)
def test_published_lsgm(reference, tmp_path, name):
    content = published(reference, name, stage=2)
    path = save(content, tmp_path / "checkpoint.pt")
    found = official.read(path, kind="lsgm")
    arrays = np.load(reference / f"{name}.npz")
    model = found.model.double()
    check_vae(model, arrays)
    z, time = (torch.from_numpy(arrays[f"sgm/{key}"]).double() for key in ("z_t", "t"))
    with torch.no_grad():
        close(model.prior.network(z, time), arrays["sgm/eps_out__f64"])
    assert torch.equal(model.prior.mixing_logit, content["dae_state_dict"]["mixing_logit"].double())
    assert (model.prior.active == 1).all()
    assert found.image_shape == RAW_SHAPES[name]
    assert (found.left_out, found.has_ema, found.steps) == ((), False, 0)
    assert not model.training


@pytest.mark.parametrize("name", RAW_SHAPES)
def test_published_vae_of_stage_1(reference, tmp_path, name):
    path = save(published(reference, name, stage=1), tmp_path / "checkpoint.pt")
    model = official.load(path)
    assert model.prior is None
    check_vae(model.double(), np.load(reference / f"{name}.npz"))


def assert_is_small(found: official.OfficialModel, is_vae: bool = False, atol: float = 0.0) -> None:
    expected = small_model(small_settings(is_vae)).state_dict()
    tensors = found.model.state_dict()
    assert tensors.keys() == expected.keys()
    for name, tensor in tensors.items():
        assert tensor.dtype == expected[name].dtype
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=atol)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("is_vae", [False, True])
def test_both_formats_of_both_stages(tmp_path, is_vae, legacy):
    path = save(small_content(is_vae), tmp_path / "checkpoint.pt", legacy)
    found = official.read(path)
    assert_is_small(found, is_vae)
    assert (found.steps, found.epochs, found.image_shape) == (7, 2, IMAGE_SHAPE)
    assert found.config.vae == small_settings(is_vae).vae
    assert found.config.is_vae == is_vae
    assert is_vae or found.config.prior.channel_mult == (1, 2)


def test_every_form_of_a_stage_1_file(tmp_path):
    content = small_content(is_vae=True)
    forms = {
        "first name": {"args": content["args"], "state_dict": content["state_dict"]},
        "second name": {"args": content["args"], "vae_state_dict": content["state_dict"]},
        "args as a dict": content | {"args": vars(content["args"])},
        "wrapped": content | {key: prefixed(content[key]) for key in ("state_dict", "vae_state_dict")},
        "parameters": content
        | {
            key: {name: torch.nn.Parameter(tensor, requires_grad=False) for name, tensor in content[key].items()}
            for key in ("state_dict", "vae_state_dict")
        },
    }
    for form in forms.values():
        assert_is_small(official.read(save(form, tmp_path / "checkpoint.pt")), is_vae=True)


def prefixed(state: dict[str, Tensor]) -> OrderedDict[str, Tensor]:
    return OrderedDict((f"module.{name}", tensor) for name, tensor in state.items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(tmp_path, dtype):
    content = small_content()
    for entry in ("vae_state_dict", "dae_state_dict"):
        for name, tensor in content[entry].items():
            content[entry][name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
    found = official.read(save(content, tmp_path / "checkpoint.pt"))
    assert_is_small(found, atol={torch.float16: 1e-3, torch.bfloat16: 4e-3}.get(dtype, 0.0))
    logit = content["dae_state_dict"]["mixing_logit"]
    assert torch.equal(found.model.prior.mixing_logit, logit.float())


@pytest.mark.parametrize("legacy", [False, True])
def test_entries_that_are_no_weights_are_listed(tmp_path, legacy):
    """Schedules, scores as NumPy scalars of either age of NumPy, power-iteration vectors by shape."""
    content = small_content() | {
        "vae_optimizer": {"state": {0: {"step": 3, "exp_avg": torch.ones(2)}}, "param_groups": [{"params": [0]}]},
        "vae_scheduler": {"base_lrs": [1e-4], "milestones": Counter({3: 1})},
        "grad_scalar": {"scale": 1024.0},
        "sr_u": {torch.Size([8, 3]): torch.ones(2)},
        "best_score_nll": np.float64(3.5),
        "best_score_fid": np.float32(2.5),
        "unheard_of": 3,
    }
    content["args"].sigma2_max = torch.tensor(0.75)
    content["args"].note = np.float64(0.5)
    content["epoch"], content["global_step"] = np.int64(4), np.dtype(">i4").type(9)
    found = official.read(save(content, tmp_path / "checkpoint.pt", legacy))
    names = ("vae_optimizer", "vae_scheduler", "grad_scalar", "sr_u", "best_score_nll", "best_score_fid", "unheard_of")
    assert found.left_out == (*names, "args.note")
    assert (found.steps, found.epochs) == (9, 4)
    assert type(found.epochs) is int


def test_masks_inactive_channels_only_if_asked(tmp_path):
    content = small_content()
    logit = content["dae_state_dict"]["mixing_logit"]
    logit[0, 1], logit[0, 4] = -15.0, -14.5
    content["args"].drop_inactive_var = True
    path = save(content, tmp_path / "checkpoint.pt")
    plain, masked = official.read(path), official.read(path, mask_inactive=True)
    assert plain.num_inactive == masked.num_inactive == 2
    assert (plain.model.prior.active == 1).all()
    assert masked.model.prior.active.flatten().tolist() == [1, 0, 1, 1, 0, 1]
    assert torch.equal(masked.model.prior.mixing_logit, logit)
    assert official.load(path, mask_inactive=True).prior.active.sum() == 4


def test_nothing_to_mask_is_an_error(tmp_path):
    path = save(small_content(), tmp_path / "checkpoint.pt")
    with pytest.raises(ConfigError, match="no channels to mask"):
        official.read(path, mask_inactive=True)


def test_what_the_process_allows_otherwise_does_not_count(tmp_path):
    """Nor is it changed: other code's list of allowed names is the same afterwards, and ours is gone."""
    before = get_safe_globals()
    try:
        clear_safe_globals()
        add_safe_globals([Path])
        path = save(small_content() | {"unheard_of": Path("x")}, tmp_path / "checkpoint.pt")
        with pytest.raises(ConfigError, match=r"names pathlib\S* neither a tensor"):
            official.read(path)
        assert_is_small(official.read(save(small_content(), tmp_path / "good.pt")))
        assert get_safe_globals() == [Path]
    finally:
        clear_safe_globals()
        add_safe_globals(before)
