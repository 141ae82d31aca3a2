"""Models of ours become checkpoints for the authors' scripts."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pytest
import torch
from compat.official.small_checkpoints import IMAGE_SHAPE, save, small_content, small_model, small_settings

from lsgm.compat import official
from lsgm.config import ConfigError

SIZES = {
    "plain": {},
    "fourier": {"embedding": "fourier"},
    "residual pyramids": {"progressive": "residual", "progressive_input": "residual", "fir": True},
    "skip pyramids": {"progressive": "output_skip", "progressive_input": "input_skip", "progressive_combine": "cat"},
    "one level": {"channel_mult": (1,)},
}


@pytest.mark.parametrize("is_vae", [False, True])
@pytest.mark.parametrize("name", ["f_mnist", "f_cifar10", "f_cifar10_nf"])
def test_published_weights_come_back_under_their_names(
    reference: Path, tmp_path: Path, name: str, is_vae: bool
) -> None:
    """Read and written again: the same tensors in the same order, and every argument that says what the network is."""
    arguments = json.loads((reference / f"{name}.json").read_text())["config"]
    args = arguments["vae_args" if is_vae else "vada_args"]
    content = {"args": argparse.Namespace(**args), "epoch": 3, "global_step": 40}
    content["vae_state_dict"] = torch.load(reference / f"{name}_vae_state.pt", weights_only=True)
    if not is_vae:
        content["dae_state_dict"] = torch.load(reference / f"{name}_sgm_state.pt", weights_only=True)
    found = official.read(save(content, tmp_path / "theirs.pt"))
    path = tmp_path / "ours.pt"
    official.write(path, found.model, found.config, found.image_shape, found.steps, found.epochs)

    with torch.serialization.safe_globals([argparse.Namespace]):
        written = torch.load(path, weights_only=True)
    assert written["epoch"], written["global_step"] == (3, 40)
    for entry in content.keys() & {"vae_state_dict", "dae_state_dict"}:
        assert list(written[entry]) == list(content[entry])
        assert all(torch.equal(written[entry][key], tensor) for key, tensor in content[entry].items())
    # How many processes there were, and how a run was evaluated underway, no settings of ours say.
    unsaid = {"num_process_per_node", "batch_size", "train_ode_eps", "train_ode_solver_tol", "skip_final_eval"}
    unsaid |= {"apply_sqrt2_res"}
    assert vars(written["args"]).keys() >= args.keys()
    assert {key for key in args if vars(written["args"])[key] != args[key]} <= unsaid


@pytest.mark.parametrize("is_vae", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_round_trip_is_exact(tmp_path: Path, sizes: str, is_vae: bool) -> None:
    config = small_settings(is_vae, **SIZES[sizes])
    model = small_model(config)
    official.write(tmp_path / "new" / "a.pt", model, config, IMAGE_SHAPE, steps=7, epochs=2.5)
    found = official.read(tmp_path / "new" / "a.pt", kind=model.kind)
    expected = model.state_dict()
    assert found.model.state_dict().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.model.state_dict().items())
    assert (found.steps, found.epochs, found.image_shape, found.left_out) == (7, 2.5, IMAGE_SHAPE, ())
    assert (found.config.vae, found.config.data) == (config.vae, config.data)
    assert is_vae or (found.config.prior, found.config.sde) == (config.prior, config.sde)
    # What is read settles after one turn, and equal models give equal files.
    official.write(tmp_path / "b.pt", found.model, found.config, found.image_shape, found.steps, found.epochs)
    again = official.read(tmp_path / "b.pt")
    assert again.config == found.config
    official.write(tmp_path / "c.pt", again.model, again.config, again.image_shape, again.steps, again.epochs)
    assert (tmp_path / "b.pt").read_bytes() == (tmp_path / "c.pt").read_bytes()


def test_a_vae_is_written_under_both_names_once(tmp_path: Path) -> None:
    content = small_content(is_vae=True)
    assert content["state_dict"].keys() == content["vae_state_dict"].keys()
    pairs = zip(content["state_dict"].values(), content["vae_state_dict"].values(), strict=True)
    assert all(first.data_ptr() == second.data_ptr() for first, second in pairs)
    assert "dae_state_dict" not in content
    assert type(content["args"]) is argparse.Namespace


def refusal(path: Path, *arguments: object, **choices: object) -> str:
    with pytest.raises(ConfigError) as caught:
        official.write(path, *arguments, **choices)
    assert not path.exists()
    message = str(caught.value)
    assert message.startswith(f"{path}: not written, ")
    assert "\n" not in message
    return message


def test_a_mask_is_dropped_only_if_asked(tmp_path: Path) -> None:
    config = small_settings()
    model = small_model(config)
    model.prior.deactivate(torch.tensor([True, False, False, True, False, False]))
    path = tmp_path / "checkpoint.pt"
    assert "does not see 2 inactive channels" in refusal(path, model, config, IMAGE_SHAPE)
    official.write(path, model, config, IMAGE_SHAPE, drop_mask=True)
    found = official.load(path).prior
    assert (found.active == 1).all()
    assert torch.equal(found.mixing_logit, model.prior.mixing_logit)


def test_what_their_format_or_code_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    unmixed = small_settings(mixed_score=False)
    assert "prior.mixed_score is false" in refusal(path, small_model(unmixed), unmixed, IMAGE_SHAPE)
    attentive = small_settings(attention_resolutions=(4,))
    assert "prior.attention_resolutions" in refusal(path, small_model(attentive), attentive, IMAGE_SHAPE)
    config = small_settings()
    model = small_model(config)
    model.vae.encoder.stem.bias.data[0] = float("nan")
    assert "vae.encoder.stem.bias has entries that are not finite" in refusal(path, model, config, IMAGE_SHAPE)


def test_a_model_of_other_settings_is_no_checkpoint(tmp_path: Path) -> None:
    config, path = small_settings(), tmp_path / "checkpoint.pt"
    for other, shape in ((small_settings(is_vae=True), IMAGE_SHAPE), (config, (1, 10, 10))):
        with pytest.raises(ValueError, match="does not belong"):
            official.write(path, small_model(config), other, shape)
    assert not path.exists()


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_text("old")

    def interrupted(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", interrupted)
    config = small_settings()
    with pytest.raises(ConfigError, match="no space"):
        official.write(path, small_model(config), config, IMAGE_SHAPE)
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]
    assert path.read_text() == "old"
