"""Rollbacks: to the right state, all of it, a bounded number of times, and recorded."""

from __future__ import annotations

import json

import pytest
import torch
from training.injected_nan import break_images, until_gentle
from training.small_run import Recorder, backbone, blocks, folder, pretrain_settings, run_config, train_settings

from lsgm.config import ExperimentConfig, RescueConfig
from lsgm.training import TrainResult, pretrain, read_curve, train
from lsgm.training.optim import ParamGroup

QUICK = {"checkpoint_every": 2, "log_every": 1, "max_skipped": 2}


def pretraining(**changes: object) -> ExperimentConfig:
    return run_config(pretrain=pretrain_settings(**(QUICK | changes)))


def steps_of(result: TrainResult) -> list[tuple[int, int]]:
    return [(rollback.step, rollback.rolled_back_to) for rollback in result.rollbacks]


def check_same_weights(first: TrainResult, second: TrainResult) -> None:
    left, right = first.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left)


def without(records: list[dict], *names: str) -> list[dict]:
    return [{key: value for key, value in record.items() if key not in names} for record in records]


def test_a_run_is_rescued(tmp_path, recorder, monkeypatch):
    break_images(monkeypatch, until_gentle(range(5, 8)))
    result = pretrain(pretraining(), blocks(), tmp_path, reporter=recorder)
    assert (result.status, result.steps, result.skipped_updates, result.weights_step) == ("ok", 8, 2, 8)
    rollback = result.rollbacks[0]
    assert steps_of(result) == [(7, 4)]
    assert (rollback.lr_factor, rollback.sr_factor) == (0.5, 2.0)
    assert "from step 5 on" in rollback.reason
    assert rollback.first_non_finite == "the images of the batch"
    assert any("going back from step 7 to step 4" in note for note in recorder.notes)
    assert result.divergence is None
    curve = read_curve(tmp_path / "curves.jsonl")
    assert [record["step"] for record in curve] == [1, 2, 3, 4, 5, 6, 7, 8]
    calm = folder(tmp_path, "calm")
    monkeypatch.undo()
    pretrain(pretraining(), blocks(), calm, reporter=Recorder())
    expected = read_curve(calm / "curves.jsonl")
    ratios = [mine["lr_vae"] / max(theirs["lr_vae"], 1e-30) for mine, theirs in zip(curve, expected, strict=True)]
    assert ratios[1:] == [1, 1, 1, 0.5, 0.5, 0.5, 0.5]
    regularisers = [
        mine["regulariser_vae"] / theirs["regulariser_vae"] for mine, theirs in zip(curve, expected, strict=True)
    ]
    assert regularisers[:4] == [1] * 4
    assert regularisers[4:] == pytest.approx([2] * 4, rel=0.05)
    assert without(curve[:4], "seconds") == without(expected[:4], "seconds")


@pytest.mark.parametrize(
    ("stage", "precision"), [("pretrain", "float32"), ("train", "float16"), ("prior only", "float32")]
)
def test_going_back_restores_everything(tmp_path, monkeypatch, stage, precision):
    """A fault that does not come again, and factors of 1: the result is that of a run without it."""
    # Lines of the curve cover the steps on both sides of the checkpoint.
    changes = QUICK | {"log_every": 3, "precision": precision, "rescue": RescueConfig(lr_factor=1, sr_factor=1)}
    config = run_config(
        pretrain=pretrain_settings(**changes), train=train_settings(train_vae=stage == "train", **changes)
    )

    def run(name: str) -> TrainResult:
        work = folder(tmp_path, name)
        if stage == "pretrain":
            return pretrain(config, blocks(), work, reporter=Recorder())
        return train(config, blocks(), backbone(config), work, reporter=Recorder())

    expected = run("calm")
    broken = [5, 6]
    taken: list[int] = []

    def once(stage, step: int) -> bool:
        taken.append(step)
        return step in broken and taken.count(step) <= (2 if step == broken[-1] else 1)

    break_images(monkeypatch, once)
    found = run("rescued")
    assert steps_of(found) == [(7, 4)]
    assert found.skipped_updates == 2
    check_same_weights(found, expected)
    curves = [read_curve(tmp_path / name / "curves.jsonl") for name in ("calm", "rescued")]
    assert without(curves[0], "seconds", "skipped") == without(curves[1], "seconds", "skipped")


def test_before_the_first_checkpoint_it_starts_anew(tmp_path, recorder, monkeypatch):
    break_images(monkeypatch, until_gentle(range(1, 8)))
    result = pretrain(pretraining(checkpoint_every=100), blocks(), tmp_path, reporter=recorder)
    assert (result.status, steps_of(result)) == ("ok", [(3, 0)])


def test_without_progress_it_goes_further_back(tmp_path, recorder, monkeypatch):
    """The checkpoint right before the trouble may be in it already."""
    break_images(monkeypatch, until_gentle(range(4, 8), 0.1))
    config = pretraining(rescue=RescueConfig(rollbacks=4))
    result = pretrain(config, blocks(), tmp_path, reporter=recorder)
    assert steps_of(result) == [(6, 4), (6, 2), (6, 4), (6, 2)]
    assert result.status == "ok"


def test_a_checkpoint_amid_skipped_updates_is_no_way_back(tmp_path, recorder, monkeypatch):
    break_images(monkeypatch, until_gentle(range(3, 8)))
    result = pretrain(pretraining(), blocks(), tmp_path, reporter=recorder)
    assert steps_of(result) == [(5, 2)]


def test_a_damaged_checkpoint_is_passed_over(tmp_path, monkeypatch):
    def damage(step: int) -> None:
        if step == 5 and not recorder.notes:
            file = tmp_path / "checkpoint-00000004.pt"
            file.write_bytes(file.read_bytes()[:-100])

    break_images(monkeypatch, until_gentle(range(5, 8)))
    recorder = Recorder(damage)
    result = pretrain(pretraining(), blocks(), tmp_path, reporter=recorder)
    assert (result.status, steps_of(result)) == ("ok", [(7, 2)])
    assert any("checkpoint-00000004.pt is left out" in note for note in recorder.notes)


def test_the_number_is_bounded_and_the_end_reported(tmp_path, recorder, monkeypatch):
    break_images(monkeypatch, lambda stage, step: step >= 3)
    config = pretraining(rescue=RescueConfig(rollbacks=2, lr_factor=0.1, sr_factor=3))
    result = pretrain(config, blocks(), tmp_path, reporter=recorder)
    assert (result.status, result.skipped_updates) == ("diverged", 6)
    assert result.reason.endswith("after 2 rollbacks")
    assert [rollback.sr_factor for rollback in result.rollbacks] == [3, 9]
    assert [rollback.lr_factor for rollback in result.rollbacks] == pytest.approx([0.1, 0.01])
    report = result.divergence
    json.dumps(report.last_values, allow_nan=False)
    assert report.first_non_finite == "the images of the batch"
    assert report.last_values["step"][-2:] == [3, 4]
    assert report.last_values["loss_vae"][-2:] == ["nan", "nan"]
    assert {"nelbo", "reconstruction", "kl", "grad_norm_vae"} < report.last_values.keys()
    assert all(torch.isfinite(value).all() for value in result.model.state_dict().values())


@pytest.mark.parametrize("rollbacks", [0, 1])
def test_weights_that_are_not_finite_reach_no_file(tmp_path, recorder, monkeypatch, rollbacks):
    """An update that leaves the range of the numbers, with a checkpoint due right after it."""
    update = ParamGroup.update

    def overflow(self: ParamGroup, step: int, norm: float) -> None:
        update(self, step, norm)
        if step == 5 and self.factor == 1:
            self.parameters[3].data.fill_(float("inf"))

    monkeypatch.setattr(ParamGroup, "update", overflow)
    config = pretraining(rescue=RescueConfig(rollbacks=rollbacks))
    result = pretrain(config, blocks(), tmp_path, reporter=recorder)
    assert not (tmp_path / "checkpoint-00000006.pt").exists()
    assert not any("left out" in note for note in recorder.notes)
    for file in tmp_path.glob("checkpoint-*.pt"):
        saved = torch.load(file, weights_only=True)["state"]["vae"]
        assert all(torch.isfinite(value).all() for value in saved.values())
    assert all(torch.isfinite(value).all() for value in result.model.state_dict().values())
    if rollbacks:
        assert (result.status, steps_of(result), result.weights_step) == ("ok", [(8, 4)], 8)
        assert result.rollbacks[0].first_non_finite.startswith("weight vae.")
    else:
        assert (result.status, result.weights_step) == ("diverged", 4)


def test_a_skipped_step_right_after_going_back_changes_nothing(tmp_path, monkeypatch):
    """The running statistics put back are those of the state that the run went back to."""
    config = pretraining(rescue=RescueConfig(lr_factor=1, sr_factor=1))
    with monkeypatch.context() as patch:
        break_images(patch, lambda stage, step: step == 4)
        expected = pretrain(config, blocks(), folder(tmp_path, "calm"), reporter=Recorder())
    taken: list[int] = []

    def broken(stage, step: int) -> bool:
        taken.append(step)
        if step == 4:
            return taken.count(4) == 2
        return step in (5, 6) and taken.count(4) == 1

    break_images(monkeypatch, broken)
    found = pretrain(config, blocks(), folder(tmp_path, "rescued"), reporter=Recorder())
    assert steps_of(found) == [(7, 4)]
    assert found.skipped_updates == 3
    check_same_weights(found, expected)
