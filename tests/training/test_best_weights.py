"""`result: best`: the weights of the checkpoint with the lowest mean NELBO before it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from training.injected_nan import break_images
from training.small_run import Recorder, backbone, blocks, folder, pretrain_settings, run_config, train_settings

from lsgm.config import ExperimentConfig
from lsgm.training import Interrupted, TrainResult, pretrain, train
from lsgm.training.checkpoint import CheckpointHistory, CheckpointId
from lsgm.training.divergence import RollbackPolicy

# Mean NELBO of the four intervals of two steps each; the lowest is that before step 4.
NELBOS = [9.0, 8.0, 4.0, 5.0, 6.0, 7.0, 6.0, 4.0]
SETTINGS = {"checkpoint_every": 2, "result": "best", "max_skipped": 2, "log_every": 4}


@pytest.fixture
def given_nelbos(monkeypatch) -> None:
    watch = RollbackPolicy.watch

    def with_given(self: RollbackPolicy, step: int, values: dict[str, float], is_finite: bool) -> None:
        watch(self, step, values | {"nelbo": NELBOS[step]}, is_finite)

    monkeypatch.setattr(RollbackPolicy, "watch", with_given)


def config(**changes: object) -> ExperimentConfig:
    settings = SETTINGS | changes
    return run_config(pretrain=pretrain_settings(**settings), train=train_settings(**settings))


def saved(work: Path, step: int) -> dict[str, object]:
    return torch.load(work / f"checkpoint-{step:08d}.pt", weights_only=True)["state"]


def check_weights(result: TrainResult, state: dict[str, torch.Tensor]) -> None:
    model = result.model.vae.state_dict()
    assert model.keys() == state.keys()
    assert all(torch.equal(model[name], state[name]) for name in state)


def test_the_best_checkpoint_is_kept_and_written(tmp_path, recorder, given_nelbos):
    result = pretrain(config(), blocks(), tmp_path, reporter=recorder)
    assert (result.status, result.steps, result.weights_step) == ("ok", 8, 4)
    check_weights(result, saved(tmp_path, 4)["vae"])
    assert recorder.notes[-1] == "pretrain: the weights are those after step 4"


def test_the_averages_are_those_of_the_best_too(tmp_path, recorder, given_nelbos):
    result = train(config(), blocks(), backbone(config()), tmp_path, reporter=recorder)
    assert result.weights_step == 4
    state = saved(tmp_path, 4)
    check_weights(result, state["vae"])
    average = state["ema"]["average"][0]
    weights = torch.cat([parameter.flatten() for parameter in result.model.prior.parameters()])
    # The averaged parameters lie in one tensor, with zeros between them.
    assert torch.equal(weights[weights != 0].sort().values, average[average != 0].sort().values)


def test_the_end_may_be_the_best(tmp_path, recorder, monkeypatch, given_nelbos):
    monkeypatch.setitem(globals(), "NELBOS", [*NELBOS[:6], 1.0, 1.0])
    result = pretrain(config(), blocks(), folder(tmp_path, "best"), reporter=recorder)
    assert result.weights_step == 8
    last = pretrain(config(result="last"), blocks(), folder(tmp_path, "last"), reporter=recorder)
    check_weights(result, last.model.vae.state_dict())


def test_a_stop_changes_nothing(tmp_path, given_nelbos):
    """Means go on over the cut: those of half intervals would be 3 before step 7, and 4 before step 3."""

    def stop(step: int) -> None:
        if step in (3, 7):
            os.kill(os.getpid(), signal.SIGTERM)

    for _ in range(2):
        with pytest.raises(Interrupted):
            pretrain(config(), blocks(), tmp_path, reporter=Recorder(stop))
    result = pretrain(config(), blocks(), tmp_path, reporter=Recorder())
    assert result.weights_step == 4


def test_a_damaged_best_is_replaced_by_the_end(tmp_path, given_nelbos):
    def damage(step: int) -> None:
        if step == 7:
            (tmp_path / "checkpoint-00000004.pt").write_bytes(b"x")

    recorder = Recorder(damage)
    result = pretrain(config(), blocks(), tmp_path, reporter=recorder)
    assert any("checkpoint-00000004.pt is left out" in note for note in recorder.notes)
    assert result.weights_step == 8


def test_of_a_diverged_run(tmp_path, recorder, monkeypatch, given_nelbos):
    break_images(monkeypatch, lambda stage, step: step >= 5)
    result = pretrain(config(), blocks(), tmp_path, reporter=recorder)
    assert (result.status, result.weights_step) == ("diverged", 4)
    check_weights(result, saved(tmp_path, 4)["vae"])


def test_the_history_returns_from_its_state():
    history, other = CheckpointHistory(), CheckpointHistory()
    for step, nelbo in enumerate([3.0, 1.0, 2.0]):
        history.add(nelbo)
        history.reached(CheckpointId(0, step), is_good=step != 1)
    history.add(0.5)
    assert (history.good, history.best, history.best_nelbo) == (
        [CheckpointId(0, 2), CheckpointId(0, 0)],
        CheckpointId(0, 2),
        2.0,
    )
    other.load_state_dict(history.state_dict())
    for each in (history, other):
        each.add(1.0)
        each.reached(CheckpointId(0, 3), is_good=True)
        assert (each.best, each.best_nelbo) == (CheckpointId(0, 3), 0.75)
        assert each.kept == {CheckpointId(0, 3), CheckpointId(0, 2)}
