"""Both stages of a model in pixel space: the first has nothing to do, the second learns."""

from __future__ import annotations

import math

import pytest
import torch
from training.small_run import VESDE, Recorder, blocks, folder, run_config, train_settings

from lsgm.config import DataConfig, ExperimentConfig, ObjectiveConfig, VaeConfig
from lsgm.models import PixelVae, build_output
from lsgm.training import Interrupted, StopRequest, TrainResult, pretrain, read_curve, train
from lsgm.training.memory import estimate_memory
from lsgm.training.spectral import Regulariser


def pixel_config(**sections: object) -> ExperimentConfig:
    frozen = {"train": train_settings(train_vae=False)}
    plain = {"data": DataConfig(name="digits"), "vae": VaeConfig(arch="pixels")}
    prior = run_config().prior.model_copy(update={"mixed_score": False, "dropout": 0.0})
    return run_config(**(frozen | plain | {"prior": prior} | sections))


def pretrained(work) -> TrainResult:
    return pretrain(pixel_config(backbone=None), blocks(), work, reporter=Recorder())


def test_the_first_stage_is_over_at_once(tmp_path):
    recorder = Recorder()
    result = pretrain(pixel_config(backbone=None), blocks(), tmp_path, reporter=recorder)
    assert (result.status, result.steps, result.epochs, result.skipped_updates) == ("ok", 0, 0, 0)
    assert isinstance(result.model.vae, PixelVae) and result.model.prior is None
    assert recorder.steps == [] and len(recorder.notes) == 1
    assert "nothing to train" in recorder.notes[0] and "vae.arch = pixels" in recorder.notes[0]
    assert (tmp_path / "curves.jsonl").read_text() == ""
    assert read_curve(tmp_path / "curves.jsonl") == []


def test_the_second_stage_learns(tmp_path):
    recorder = Recorder()
    settings = train_settings(epochs=30, lr_sgm=1e-2, lr_sgm_min=1e-3, train_vae=False, log_every=20)
    config = pixel_config(objective=ObjectiveConfig(weighting="un", time="is"), train=settings)
    result = train(config, blocks(), pretrained(tmp_path).model, folder(tmp_path, "prior"), reporter=recorder)
    first, last = recorder.records[0], recorder.records[-1]
    assert (result.status, result.steps) == ("ok", 120)
    assert last["loss_prior"] < 0.7 * first["loss_prior"]
    assert last["nelbo"] < first["nelbo"]
    assert last["reconstruction"] == 0
    assert isinstance(result.model.vae, PixelVae)
    assert math.isfinite(last["kl"])


CHANGES = {
    "drop_inactive": {"drop_inactive": True},
    "official_frozen_vae": {"official_frozen_vae": True},
    "regularised": {"sr_coeff_vae": 1.0, "sr_coeff_sgm": 1e-2, "sr_sgm_convs": True},
    "balanced": {"kl_balance": True},
    "accumulated": {"accumulate": 2},
    "recomputed": {"checkpoint_activations": True},
    "bfloat16": {"precision": "bfloat16"},
    "best weights": {"result": "best"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_settings_of_a_training_do_not_need_a_vae_with_weights(tmp_path, change):
    config = pixel_config(train=train_settings(train_vae=False, epochs=1, **CHANGES[change]))
    model = pretrained(tmp_path).model
    result = train(config, blocks(), model, folder(tmp_path, "prior"), reporter=Recorder())
    assert (result.status, result.steps, result.skipped_updates) == ("ok", 4, 0)
    assert all(torch.isfinite(value).all() for value in result.model.state_dict().values())
    assert result.model.prior.active.all()


def test_a_measured_scale_is_that_of_the_images(tmp_path):
    config = pixel_config(sde=VESDE, train=train_settings(train_vae=False, epochs=1))
    result = train(config, blocks(), pretrained(tmp_path).model, folder(tmp_path, "prior"), reporter=Recorder())
    # Squares of nine pixels at two places, dark on bright: 18 differences of 2 x 250/256.
    assert result.config.sde.sigma2_max == pytest.approx(18 * (2 * 250 / 256) ** 2, rel=0.01)


@pytest.mark.parametrize("moves", [False, True], ids=["frozen", "official"])
def test_it_goes_on_from_a_checkpoint(tmp_path, moves):
    config = pixel_config(train=train_settings(train_vae=False, official_frozen_vae=moves))
    backbone = pretrained(tmp_path).model
    whole = train(config, blocks(), backbone, folder(tmp_path, "whole"), reporter=Recorder())
    parts = folder(tmp_path, "parts")
    with StopRequest() as stop, pytest.raises(Interrupted):
        recorder = Recorder(lambda step: setattr(stop, "requested", step == 3))
        train(config, blocks(), backbone, parts, reporter=recorder, stop=stop)
    rest = train(config, blocks(), backbone, parts, reporter=Recorder())
    states = whole.model.state_dict(), rest.model.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_network_without_weights_has_no_regulariser():
    vae = PixelVae(VaeConfig(arch="pixels"), (1, 6, 6), build_output("intensity"))
    regulariser = Regulariser(vae, 1.0, True, 0, "vae")
    assert regulariser().item() == 0
    assert regulariser.state_dict() == {}


def test_memory_is_that_of_the_prior():
    shape = blocks().image_shape
    alone = estimate_memory(pixel_config(backbone=None), shape)
    assert (alone.parameters, alone.activations) == (0, 0)
    with_prior = estimate_memory(pixel_config(), shape)
    assert with_prior.parameters > 0 and with_prior.activations > 0
