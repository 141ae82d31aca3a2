"""What the settings of the joint stage do to its steps: the encoder's times, and a frozen VAE's mode."""

from __future__ import annotations

import copy

import pytest
import torch
from training.small_run import BATCH, Recorder, backbone, blocks, run_config, train_settings

from lsgm import randomness
from lsgm.algorithms import StepGradients
from lsgm.config import ExperimentConfig, ObjectiveConfig
from lsgm.data import TrainBatches
from lsgm.models import Lsgm, build_prior
from lsgm.time_sampling import build_time_sampler
from lsgm.training import train
from lsgm.training.joint import JointStage
from lsgm.training.noise import seed_dropout

CPU = torch.device("cpu")
FROZEN = train_settings(train_vae=False, official_frozen_vae=True)


def build_stage(config: ExperimentConfig) -> JointStage:
    vae = backbone(config).vae
    batches = TrainBatches(blocks().train, config.data, config.train.batch_size, config.seed, CPU)
    return JointStage(config, Lsgm(vae, build_prior(config, vae.prior_shape)), batches, CPU)


def first_gradients(stage: JointStage) -> StepGradients:
    seed_dropout(stage.seed, 0)
    return stage.gradients(stage.inputs(0), 0)


@pytest.mark.parametrize("is_official", [False, True])
@pytest.mark.parametrize(("q_time", "time"), [("ll", "is"), ("uniform", "uniform")])
def test_times_of_the_encoder(q_time, time, is_official):
    objective = ObjectiveConfig(weighting="re", time="is", q_time=q_time, official_weights=is_official)
    stage = build_stage(run_config(objective=objective))
    draws, sde = stage.inputs(3).noise, stage.model.prior.sde
    rho = {part: randomness.uniform((BATCH,), stage.seed, f"diffusion time, {part}", 3) for part in ("vae", "prior")}
    expected = build_time_sampler(sde, "ll", time, is_official).sample(rho["vae"])
    assert torch.equal(draws.vae.times.time, expected.time)
    assert torch.equal(draws.vae.times.vae_weight, expected.vae_weight)
    assert torch.equal(
        draws.prior.times.time, build_time_sampler(sde, "re", "is", is_official).sample(rho["prior"]).time
    )


@pytest.mark.parametrize("time", ["uniform", "is"])
def test_the_encoder_has_no_times_of_its_own_where_it_reweights(time):
    stage = build_stage(run_config(objective=ObjectiveConfig(weighting="re", time=time)))
    assert stage.inputs(0).noise.vae is None


def test_the_rescaled_objective_trains(tmp_path, recorder):
    objective = ObjectiveConfig(weighting="rescale", time="uniform", q_time="uniform")
    config = run_config(objective=objective, train=train_settings(epochs=1))
    result = train(config, blocks(), backbone(config), tmp_path, reporter=recorder)
    assert (result.status, result.skipped_updates) == ("ok", 0)


def test_update_q_ema_reaches_the_parameters_behind_the_flat_tensor():
    objective = ObjectiveConfig(weighting="re", time="is", q_time="ll", disjoint=True, update_q_ema=True)
    stage = build_stage(run_config(objective=objective))
    stage.ema.update()
    prior = stage.branches["prior"]
    average = [parameter.detach().clone() for parameter in prior.parameters]
    with torch.no_grad():
        prior.flat.mul_(1.1)
    # A second stage whose prior is still where the first one's average is.
    found, expected = (first_gradients(each) for each in (stage, build_stage(run_config(objective=objective))))
    assert all(torch.equal(left, right) for left, right in zip(found.vae, expected.vae, strict=True))
    assert not all(torch.equal(left, right) for left, right in zip(found.prior, expected.prior, strict=True))
    pairs = zip(prior.parameters, average, strict=True)
    assert all(torch.equal(parameter, 1.1 * value) for parameter, value in pairs)


def test_official_frozen_vae_moves_its_statistics_and_nothing_else(tmp_path, recorder):
    """Replayed here: one forward pass in training mode for every step's batch."""
    config = run_config(train=FROZEN)
    given = backbone(config)
    result = train(config, blocks(), given, tmp_path, reporter=recorder)
    expected = copy.deepcopy(given.vae).train()
    stage = build_stage(config)
    for step in range(result.steps):
        inputs = stage.inputs(step)
        with torch.no_grad():
            expected(inputs.x, inputs.noise.posterior)
    state, before = expected.state_dict(), given.vae.state_dict()
    for name, value in result.model.vae.state_dict().items():
        assert torch.equal(value, state[name]), name
        assert torch.equal(value, before[name]) == ("running" not in name and "tracked" not in name), name
    assert not result.model.vae.training


def test_official_frozen_vae_encodes_with_the_statistics_of_the_batch():
    stages = [build_stage(run_config(train=settings)) for settings in (FROZEN, train_settings(train_vae=False))]
    found = [first_gradients(stage) for stage in stages]
    assert found[0].terms.scalars["reconstruction"] != found[1].terms.scalars["reconstruction"]
    assert found[0].vae is found[1].vae is None
    assert not any(parameter.requires_grad for parameter in stages[0].model.vae.parameters())


@pytest.mark.parametrize(("settings", "is_watched"), [(FROZEN, True), (train_settings(train_vae=False), False)])
def test_statistics_are_watched_where_they_move(settings, is_watched):
    stage = build_stage(run_config(train=settings))
    assert (stage.statistics.total() is not None) == is_watched
    assert ("vae" in stage.parts) == is_watched


def test_a_skipped_step_leaves_no_trace_in_a_frozen_vae(tmp_path, monkeypatch):
    """The first step of two is broken; what remains is the forward pass of the second."""
    settings = FROZEN.model_copy(update={"epochs": 1, "batch_size": 16, "log_every": 1})
    config, whole = run_config(train=settings), JointStage.gradients

    def broken(self, inputs, step):
        found = whole(self, inputs, step)
        if step == 0:
            found.prior[0].fill_(torch.nan)
        return found

    monkeypatch.setattr(JointStage, "gradients", broken)
    given = backbone(config)
    result = train(config, blocks(), given, tmp_path, reporter=Recorder())
    assert (result.steps, result.skipped_updates) == (2, 1)
    expected, inputs = copy.deepcopy(given.vae).train(), build_stage(config).inputs(1)
    with torch.no_grad():
        expected(inputs.x, inputs.noise.posterior)
    state = result.model.vae.state_dict()
    assert all(torch.equal(state[name], value) for name, value in expected.state_dict().items() if "running" in name)
