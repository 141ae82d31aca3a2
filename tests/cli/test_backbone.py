"""The VAE that a prior is trained on: from a VAE's file, or out of an LSGM's."""

from __future__ import annotations

import pytest
import torch
from models.small_models import IMAGE_SHAPE, small_config

from lsgm.cli.records.training_run import load_backbone
from lsgm.config import ConfigError, PriorConfig
from lsgm.models import build_lsgm, save_model, sha256_of


def saved(folder, is_vae, **sections):
    """A model file with fresh weights."""
    config = small_config(is_vae, seed=3, **sections)
    model = build_lsgm(config, IMAGE_SHAPE)
    path = folder / "model.safetensors"
    save_model(path, model, config, IMAGE_SHAPE)
    return path, model


@pytest.mark.parametrize("is_vae", [True, False], ids=["of a VAE", "of an LSGM"])
def test_the_vae_is_taken_and_a_prior_left(tmp_path, is_vae):
    """Stage 3 has a prior of its own, of another size than that of stage 2."""
    path, model = saved(tmp_path, is_vae)
    prior = PriorConfig(num_channels=16, channel_mult=(1,), num_cells_per_scale=1, embedding_dim=8)
    found, record = load_backbone(path, small_config(prior=prior))
    assert (record.run, record.seed, record.model_sha256) == ("backbone" if is_vae else "small", 3, sha256_of(path))
    assert found.kind == "vae"
    weights = found.vae.state_dict()
    assert weights.keys() == model.vae.state_dict().keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in model.vae.state_dict().items())
    assert not any(part.training for part in found.modules())


@pytest.mark.parametrize("is_vae", [True, False], ids=["of a VAE", "of an LSGM"])
def test_another_vae_is_refused(tmp_path, is_vae):
    path, _ = saved(tmp_path, is_vae)
    vae = small_config().vae.model_copy(update={"num_channels": 4})
    with pytest.raises(ConfigError, match=r"made with vae\.num_channels = 8, but small asks for 4"):
        load_backbone(path, small_config(vae=vae))


def test_a_model_that_diverged_is_refused(tmp_path):
    config = small_config()
    path = tmp_path / "model.safetensors"
    extra = {"status": "diverged", "reason": "loss is nan"}
    save_model(path, build_lsgm(config, IMAGE_SHAPE), config, IMAGE_SHAPE, extra)
    with pytest.raises(ConfigError, match=r"this model diverged \(loss is nan\)"):
        load_backbone(path, config)
