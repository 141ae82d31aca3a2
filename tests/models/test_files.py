from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
import torch
from models.model_files import forge, make_model, message_of, read
from models.small_models import IMAGE_SHAPE, small_config

from lsgm.config import ConfigError, DataConfig, ExperimentConfig, SdeConfig, VaeConfig, read_yaml, validate
from lsgm.models import files as files_module
from lsgm.models import load_model, save_model, sha256_of


@pytest.mark.parametrize("is_vae", [True, False])
def test_round_trip_is_bit_exact(tmp_path, is_vae):
    config = small_config(is_vae)
    model = make_model(config)
    path = tmp_path / "model.safetensors"
    save_model(path, model, config, IMAGE_SHAPE, {"note": "ε\nsecond line"})
    loaded = load_model(path, config, image_shape=IMAGE_SHAPE)
    before, after = model.state_dict(), loaded.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert loaded.config == config
    assert loaded.image_shape == IMAGE_SHAPE
    assert loaded.extra == {"note": "ε\nsecond line"}
    assert not any(module.training for module in loaded.model.modules())
    assert model.training


def test_active_channels_come_back(saved):
    assert load_model(saved).model.prior.active.flatten().tolist() == [1, 0, 1, 1, 0, 1]


def test_same_model_same_bytes(saved, tmp_path):
    config = small_config()
    save_model(tmp_path / "again.safetensors", make_model(config), config, IMAGE_SHAPE, {"data": "0123"})
    assert sha256_of(saved) == sha256_of(tmp_path / "again.safetensors")
    assert sha256_of(saved) == hashlib.sha256(saved.read_bytes()).hexdigest()


def test_settings_lie_beside_and_nothing_else(saved):
    beside = saved.parent / "model.config.yaml"
    assert sorted(saved.parent.iterdir()) == [beside, saved]
    assert validate(ExperimentConfig, read_yaml(beside), "beside") == small_config()
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE(beside.stat().st_mode)


def test_loading_leaves_the_global_generator_alone(saved):
    before = torch.get_rng_state()
    load_model(saved)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_non_finite_weights_are_not_saved_and_the_old_file_stays(saved, value):
    config = small_config()
    model = make_model(config)
    model.prior.mixing_logit.data[0, 2] = value
    before = saved.read_bytes()
    with pytest.raises(ValueError, match=r"prior.mixing_logit.*not finite"):
        save_model(saved, model, config, IMAGE_SHAPE)
    assert saved.read_bytes() == before


def test_model_of_another_kind_than_its_settings_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="'lsgm' does not belong to the settings of 'backbone'"):
        save_model(tmp_path / "m.safetensors", make_model(small_config()), small_config(is_vae=True), IMAGE_SHAPE)
    assert not list(tmp_path.iterdir())


def test_failed_write_leaves_the_old_file_and_no_rest(saved, monkeypatch):
    def full_disk(tensors, path, metadata):
        Path(path).write_bytes(b"half a fi")
        raise OSError("No space left on device")

    monkeypatch.setattr(files_module, "save_file", full_disk)
    before = saved.read_bytes()
    with pytest.raises(ConfigError, match="No space left"):
        save_model(saved, make_model(small_config()), small_config(), IMAGE_SHAPE)
    assert saved.read_bytes() == before
    assert len(list(saved.parent.iterdir())) == 2


def test_kind_that_is_not_wanted(saved, tmp_path):
    backbone = small_config(is_vae=True)
    assert "holds an LSGM, but backbone needs a VAE" in message_of(saved, backbone)
    path = tmp_path / "vae.safetensors"
    save_model(path, make_model(backbone), backbone, IMAGE_SHAPE)
    assert "holds a VAE, but small needs an LSGM" in message_of(path, small_config())


def test_backbone_is_accepted_whatever_prior_is_to_come(tmp_path):
    path, backbone = tmp_path / "vae.safetensors", small_config(is_vae=True)
    save_model(path, make_model(backbone), backbone, IMAGE_SHAPE)
    wanted = small_config(sde=SdeConfig(beta_end=10.0), seed=9).model_copy(update={"backbone": None})
    assert load_model(path, wanted).model.prior is None


def with_vae(**changes: object) -> ExperimentConfig:
    return small_config(vae=VaeConfig(**(small_config().vae.model_dump() | changes)))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (with_vae(num_groups_per_scale=3), "vae.num_groups_per_scale = 2, but small asks for 3"),
        (with_vae(channel_mult=(1, 1)), r"vae.channel_mult = [1, 2], but small asks for [1, 1]"),
        (small_config(data=DataConfig(name="digits", pad=0, binarise=True)), "data.pad = 1, but small asks for 0"),
        (
            small_config(prior=small_config().prior.model_copy(update={"fir": False})),
            "prior.fir = true, but small asks for false",
        ),
        (small_config(sde=SdeConfig(beta_end=10.0)), "sde.beta_end = 20.0, but small asks for 10.0"),
    ],
)
def test_other_architecture_names_key_and_both_values(saved, wanted, found):
    assert f"made with {found}" in message_of(saved, wanted)


def test_settings_that_fix_no_weights_may_differ(saved):
    other = small_config(seed=9, data=DataConfig(name="mnist", pad=1, binarise=True, flip=True))
    assert load_model(saved, other).config == small_config()


def test_measured_variance_stands_in_for_null(tmp_path):
    asked = small_config(sde=SdeConfig(type="vesde", sigma2_0=3e-5, sigma2_max=None))
    measured = small_config(sde=asked.sde.model_copy(update={"sigma2_max": 123.5}))
    path = tmp_path / "vesde.safetensors"
    save_model(path, make_model(measured), measured, IMAGE_SHAPE)
    assert load_model(path, asked).model.prior.sde.base_variance == 123.5


def test_other_images(saved):
    assert "images of shape [1, 6, 6], not [1, 8, 8]" in message_of(saved, image_shape=(1, 8, 8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _, tensors: tensors.pop("prior.active"), "lacks tensor prior.active (1 such)"),
        (lambda _, tensors: tensors.update(extra=torch.ones(1)), "has an unexpected tensor extra (1 such)"),
        (
            lambda _, tensors: tensors.update({"prior.active": torch.ones(1, 7, 1, 1)}),
            "tensor prior.active is torch.float32 [1, 7, 1, 1], expected torch.float32 [1, 6, 1, 1]",
        ),
        (
            lambda _, tensors: tensors.update({"prior.active": torch.ones(1, 6, 1, 1).double()}),
            "tensor prior.active is torch.float64",
        ),
        (
            lambda _, tensors: tensors["prior.mixing_logit"].fill_(torch.nan),
            "prior.mixing_logit has entries that are not finite",
        ),
    ],
)
def test_tensors_that_do_not_fit(saved, change, message):
    forge(saved, change)
    assert message in message_of(saved)


def test_filter_kernels_are_constants_and_no_part_of_a_file(saved):
    """A file that holds one is of a program for which it was no constant: refused, not ignored."""
    kernels = {name: kernel for name, kernel in load_model(saved).model.named_buffers() if name.endswith(".kernel")}
    assert kernels and kernels.keys().isdisjoint(read(saved)[1])
    forge(saved, lambda _, tensors: tensors.update(kernels))
    assert f"has an unexpected tensor {min(kernels)} ({len(kernels)} such)" in message_of(saved)


def test_header_says_what_is_inside(saved):
    content, _ = read(saved)
    config = content.pop("config")
    del content["checksum"]
    assert config == small_config().model_dump(mode="json")
    assert content == {
        "version": 2,
        "kind": "lsgm",
        "image_shape": [1, 6, 6],
        "latent_shape": [6, 4, 4],
        "extra": {"data": "0123"},
    }
