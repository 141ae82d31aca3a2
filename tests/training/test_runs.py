"""Whole runs: they learn, report what they should, and leave their inputs alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from training.small_run import (
    IMAGE_SHAPE,
    OBJECTIVES,
    PRIOR,
    VESDE,
    Recorder,
    backbone,
    blocks,
    folder,
    pretrain_settings,
    run_config,
    set_posterior,
    train_settings,
)

from lsgm import randomness
from lsgm.config import ConfigError, KlSchedule, ObjectiveConfig
from lsgm.models import MixedScorePrior, build_prior, load_model, save_model
from lsgm.training import TrainResult, pretrain, read_curve, train

FIELDS = {"step", "epoch", "nelbo", "reconstruction", "kl", "kl_groups", "active_channels", "kl_coeff", "skipped"}
FIELDS |= {"seconds"}


@dataclass(frozen=True)
class Pretrained:
    result: TrainResult
    recorder: Recorder
    work: Path


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory) -> Pretrained:
    settings = pretrain_settings(epochs=20, warmup_epochs=2, log_every=20, kl=KlSchedule(start=0.1))
    work, recorder = tmp_path_factory.mktemp("pretrained"), Recorder()
    result = pretrain(run_config(pretrain=settings), blocks(), work, reporter=recorder)
    return Pretrained(result, recorder, work)


def test_pretraining_learns(pretrained):
    curve, result = read_curve(pretrained.work / "curves.jsonl"), pretrained.result
    assert [record["step"] for record in curve] == [20, 40, 60, 80]
    assert curve == pretrained.recorder.records
    assert curve[-1] == result.final
    assert curve[-1]["nelbo"] < curve[0]["nelbo"] - 3
    assert curve[-1]["loss_vae"] < curve[0]["loss_vae"] - 1
    assert {"loss_vae", "regulariser_vae", "grad_norm_vae", "lr_vae"} | FIELDS == curve[0].keys()
    assert sum(curve[-1]["kl_groups"]) == pytest.approx(curve[-1]["kl"], rel=1e-5)
    assert (result.status, result.reason, result.epochs, result.steps) == ("ok", None, 20, 80)
    assert result.model.prior is None
    assert not result.model.training


def mean_error(prior: MixedScorePrior) -> float:
    """Mean squared error of the noise prediction for latents N(1, e^-2), on draws that are always the same."""
    latents, noise = (randomness.normal((256, *prior.shape), 0, purpose) for purpose in ("latents", "noise"))
    time = torch.linspace(0.01, 1.0, 256)
    with torch.no_grad():
        return (prior(prior.sde.perturb(1 + math.exp(-1) * latents, noise, time), time) - noise).square().mean().item()


def test_a_prior_on_a_frozen_vae_learns(tmp_path, recorder):
    """All latents are N(1, e^-2), far from the Normal that the prior starts at."""
    settings = train_settings(epochs=25, lr_sgm=1e-2, lr_sgm_min=1e-3, train_vae=False, log_every=50, ema_decay=0.8)
    prior = PRIOR.model_copy(update={"mixing_logit_init": 0.0, "dropout": 0.0})
    config = run_config(objective=ObjectiveConfig(weighting="un", time="uniform"), train=settings, prior=prior)
    model = backbone(config)
    for group in range(2):
        set_posterior(model.vae, group, [0, 1, 2], mean=1.0, log_sigma=-1.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = train(config, blocks(), model, tmp_path, reporter=recorder)
    fresh, trained = mean_error(build_prior(config, result.model.prior.shape).eval()), mean_error(result.model.prior)
    assert trained < 0.6 * fresh
    assert recorder.records[-1]["loss_prior"] < recorder.records[0]["loss_prior"]
    assert all(torch.equal(value, before[f"vae.{name}"]) for name, value in result.model.vae.state_dict().items())


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_joint_training_moves_both_networks(tmp_path, recorder, pretrained, objective):
    given = pretrained.result.model
    before = {name: value.clone() for name, value in given.state_dict().items()}
    config = run_config(objective=OBJECTIVES[objective], train=train_settings())
    result = train(config, blocks(), given, tmp_path, reporter=recorder)
    assert (result.status, result.skipped_updates, result.steps) == ("ok", 0, 8)
    # The backbone given is left alone; the copy in the result is trained, running statistics included.
    assert all(torch.equal(value, before[name]) for name, value in given.state_dict().items())
    after = result.model.state_dict()
    frozen = [name for name in before if torch.equal(after[name], before[name])]
    assert frozen == []
    expected = {"loss_vae", "regulariser_vae", "regulariser_prior", "grad_norm_vae", "grad_norm_prior", "lr_vae"}
    expected |= {"lr_prior", "loss_prior"} | FIELDS
    assert recorder.records[0].keys() == expected
    assert recorder.records[0]["kl_coeff"] == pytest.approx(1.0)


def test_the_result_carries_the_average(tmp_path, recorder, monkeypatch):
    """With decay 0 the average is the last value; with decay near 1 it stays where the first step left it."""
    results = []
    for decay in (0.0, 1 - 1e-9):
        config = run_config(train=train_settings(ema_decay=decay))
        work = folder(tmp_path, str(decay))
        results.append(train(config, blocks(), backbone(config), work, reporter=recorder).model.prior)
    start = train(
        run_config(train=train_settings(ema_decay=0.0, lr_sgm=1e-30, lr_sgm_min=1e-30, weight_decay=0.0)),
        blocks(),
        backbone(run_config()),
        folder(tmp_path, "start"),
        reporter=recorder,
    ).model.prior
    distances = [
        sum(
            (left - right).abs().sum().item()
            for left, right in zip(prior.parameters(), start.parameters(), strict=True)
        )
        for prior in results
    ]
    assert distances[1] < 1e-3 * distances[0]


def test_measured_variance_is_in_the_settings_used(tmp_path, recorder):
    config = run_config(sde=VESDE, objective=OBJECTIVES["algorithm 1"], train=train_settings(epochs=1))
    result = train(config, blocks(), backbone(config), folder(tmp_path, "run"), reporter=recorder)
    measured = result.config.sde.sigma2_max
    # Two draws of 96 dimensions near N(0, 1): squared distances around 2 x 96.
    assert 50 < measured < 2000
    assert result.model.prior.sde.sigma2_max == measured
    assert config.sde.sigma2_max is None
    save_model(tmp_path / "model.safetensors", result.model, result.config, IMAGE_SHAPE)
    loaded = load_model(tmp_path / "model.safetensors").model
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, result.model.state_dict()[name])


def test_training_leaves_the_global_generator_alone(tmp_path, recorder):
    torch.manual_seed(3)
    expected = torch.randn(2)
    torch.manual_seed(3)
    config = run_config(train=train_settings(epochs=1))
    train(config, blocks(), backbone(config), tmp_path, reporter=recorder)
    assert torch.equal(torch.randn(2), expected)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_runs(tmp_path, recorder, precision):
    config = run_config(train=train_settings(precision=precision), pretrain=pretrain_settings(precision=precision))
    model = pretrain(config, blocks(), folder(tmp_path, "one"), reporter=recorder).model
    result = train(config, blocks(), model, folder(tmp_path, "two"), reporter=recorder)
    assert (result.status, result.skipped_updates) == ("ok", 0)
    assert all(value.dtype in (torch.float32, torch.int64) for value in result.model.state_dict().values())


def test_several_scales_and_balancing(tmp_path, recorder):
    config = run_config()
    vae = config.vae.model_copy(update={"num_latent_scales": 2, "channel_mult": (1, 1, 1), "num_flows": 1})
    settings = train_settings(epochs=1, kl_balance=True)
    config = config.model_copy(update={"vae": vae, "train": settings, "pretrain": pretrain_settings(epochs=1)})
    model = pretrain(config, blocks(), folder(tmp_path, "one"), reporter=recorder).model
    result = train(config, blocks(), model, folder(tmp_path, "two"), reporter=recorder)
    assert len(result.final["kl_groups"]) == len(result.final["active_channels"]) == 4


def test_too_few_images(tmp_path, recorder):
    data = blocks()
    with pytest.raises(ConfigError, match="batch_size"):
        pretrain(run_config(), replace(data, train=data.train[:3]), tmp_path, reporter=recorder)
