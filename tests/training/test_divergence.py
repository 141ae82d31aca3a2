"""Injected non-finite numbers: skip and count one, call many in a row divergence, and never keep one."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
from training.small_run import backbone, blocks, folder, pretrain_settings, run_config, train_settings

from lsgm.config import RescueConfig
from lsgm.data import TrainBatches
from lsgm.models import NVAE, save_model
from lsgm.models.nvae.squeeze_excitation import SqueezeExcitation
from lsgm.training import TrainResult, pretrain, train

NO_RESCUE = RescueConfig(rollbacks=0)


@pytest.fixture
def broken_steps(monkeypatch) -> Callable[[range], None]:
    """Call it with steps whose batches shall hold a NaN, which every activation then has."""

    def break_them(steps: range) -> None:
        batch = TrainBatches.batch

        def broken(self: TrainBatches, step: int, rows: slice = slice(None)) -> torch.Tensor:
            x = batch(self, step, rows)
            return x * float("nan") if step in steps else x

        monkeypatch.setattr(TrainBatches, "batch", broken)

    return break_them


def check_finite(result: TrainResult) -> None:
    assert all(torch.isfinite(value).all() for value in result.model.state_dict().values())
    json.dumps(dict(result.final), allow_nan=False)


@pytest.mark.parametrize("stage", ["pretrain", "train", "prior only"])
def test_few_broken_steps_are_skipped(tmp_path, recorder, broken_steps, stage):
    broken_steps(range(3, 6))
    config = run_config(
        pretrain=pretrain_settings(max_skipped=4), train=train_settings(max_skipped=4, train_vae=stage == "train")
    )
    if stage == "pretrain":
        result = pretrain(config, blocks(), tmp_path, reporter=recorder)
    else:
        result = train(config, blocks(), backbone(config), tmp_path, reporter=recorder)
    assert (result.status, result.steps, result.skipped_updates) == ("ok", 8, 3)
    check_finite(result)
    assert [record["skipped"] for record in recorder.records] == [0, 3, 3]


def test_a_skipped_step_changes_nothing(tmp_path, recorder, broken_steps):
    """Weights, running statistics and averages after a broken last step are those of before it."""
    broken_steps(range(7, 8))
    states = {}

    def keep(step: int) -> None:
        states[step] = {name: value.clone() for name, value in stage_model().state_dict().items()}

    seen: list[NVAE] = []
    forward = NVAE.forward

    def spy(self: NVAE, *arguments):
        seen[:] = [self]
        return forward(self, *arguments)

    def stage_model() -> NVAE:
        return seen[0]

    recorder._on_step = keep
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NVAE, "forward", spy)
        result = pretrain(run_config(), blocks(), tmp_path, reporter=recorder)
    counters = "num_batches_tracked"
    compared = [name for name in states[7] if not name.endswith(counters)]
    assert all(torch.equal(states[7][name], states[8][name]) for name in compared)
    assert result.skipped_updates == 1


def test_many_in_a_row_are_divergence(tmp_path, recorder, broken_steps):
    broken_steps(range(2, 100))
    config = run_config(train=train_settings(max_skipped=4, rescue=NO_RESCUE))
    result = train(config, blocks(), backbone(config), folder(tmp_path, "run"), reporter=recorder)
    assert (result.status, result.steps, result.skipped_updates) == ("diverged", 6, 4)
    assert "4 updates in a row were not finite, from step 2 on" in result.reason
    assert (result.rollbacks, result.weights_step) == ((), 6)
    assert result.divergence.last_values["step"] == list(range(6))
    assert result.divergence.last_values["loss_prior"][2:] == ["nan"] * 4
    check_finite(result)
    assert result.final["loss_vae"] is None
    save_model(tmp_path / "model.safetensors", result.model, result.config, (1, 6, 6))


def test_exploding_gradients_are_skipped_before_they_reach_a_weight(tmp_path, recorder, monkeypatch):
    reconstruction = NVAE.reconstruction
    monkeypatch.setattr(NVAE, "reconstruction", lambda self, params, x: 1e38 * reconstruction(self, params, x))
    config = run_config(pretrain=pretrain_settings(max_skipped=3, rescue=NO_RESCUE))
    result = pretrain(config, blocks(), tmp_path, reporter=recorder)
    assert (result.status, result.steps) == ("diverged", 3)
    check_finite(result)
    assert result.divergence.first_non_finite.startswith("gradient of vae.")


def test_a_layer_is_named(tmp_path, recorder, monkeypatch):
    """The first whose output is not finite, although all that come after it have the same trouble."""
    forward = SqueezeExcitation.forward
    monkeypatch.setattr(SqueezeExcitation, "forward", lambda self, x: forward(self, x) * float("inf"))
    config = run_config(pretrain=pretrain_settings(max_skipped=1, rescue=NO_RESCUE))
    result = pretrain(config, blocks(), tmp_path, reporter=recorder)
    modules = result.model.vae.named_modules(prefix="vae")
    first = next(name for name, module in modules if isinstance(module, SqueezeExcitation))
    assert result.divergence.first_non_finite == f"output of {first}"


def test_no_model_file_has_weights_that_are_not_finite(tmp_path):
    config = run_config()
    model = backbone(config)
    next(model.parameters()).data.view(-1)[0] = float("inf")
    config = config.model_copy(update={"backbone": None})
    with pytest.raises(ValueError, match=r"not saved, vae.* has entries that are not finite"):
        save_model(tmp_path / "model.safetensors", model, config, (1, 6, 6))
    assert list(tmp_path.iterdir()) == []
