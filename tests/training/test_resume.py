"""N steps, a stop, and N more are bit for bit the same as 2N steps."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from training.small_run import (
    OBJECTIVES,
    VESDE,
    Recorder,
    backbone,
    blocks,
    folder,
    pretrain_settings,
    run_config,
    train_settings,
)

from lsgm.config import ConfigError, ExperimentConfig
from lsgm.training import Interrupted, TrainResult, pretrain, read_curve, train

TIMES = ("seconds",)


def run(stage: str, config: ExperimentConfig, work: Path, reporter: Recorder) -> TrainResult:
    if stage == "pretrain":
        return pretrain(config, blocks(), work, reporter=reporter)
    return train(config, blocks(), backbone(config), work, reporter=reporter)


def stop_at(step: int, number: signal.Signals = signal.SIGTERM) -> Recorder:
    return Recorder(lambda done: os.kill(os.getpid(), number) if done == step else None)


def comparable(records) -> list[dict]:
    return [{key: value for key, value in record.items() if key not in TIMES} for record in records]


def check_same(first: TrainResult, second: TrainResult) -> None:
    left, right = first.model.state_dict(), second.model.state_dict()
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert comparable([first.final]) == comparable([second.final])
    assert (first.steps, first.epochs, first.skipped_updates) == (second.steps, second.epochs, second.skipped_updates)


def check_resume(stage: str, config: ExperimentConfig, tmp_path: Path, stops: tuple[int, ...] = (4,)) -> None:
    whole, parts = folder(tmp_path, "whole"), folder(tmp_path, "parts")
    expected = run(stage, config, whole, Recorder())
    for stop in stops:
        with pytest.raises(Interrupted, match=f"stopped at step {stop} of 8"):
            run(stage, config, parts, stop_at(stop))
        # BatchNoise outside the run must not matter.
        torch.randn(7)
    found = run(stage, config, parts, Recorder())
    assert expected.status == "ok"
    assert expected.steps == 8
    check_same(found, expected)
    curves = [comparable(read_curve(work / "curves.jsonl")) for work in (whole, parts)]
    assert curves[0] == curves[1]
    assert [record["step"] for record in curves[0]] == [3, 6, 8]


def test_pretraining(tmp_path):
    check_resume("pretrain", run_config(), tmp_path, stops=(2, 5))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_joint(tmp_path, objective):
    check_resume("train", run_config(objective=OBJECTIVES[objective]), tmp_path)


def test_prior_only(tmp_path):
    config = run_config(train=train_settings(train_vae=False, drop_inactive=True))
    check_resume("train", config, tmp_path)


def test_prior_on_a_frozen_vae_whose_statistics_move(tmp_path):
    config = run_config(train=train_settings(train_vae=False, official_frozen_vae=True))
    check_resume("train", config, tmp_path)


def test_measured_sde(tmp_path):
    config = run_config(sde=VESDE, objective=OBJECTIVES["algorithm 1"], train=train_settings(train_vae=False))
    check_resume("train", config, tmp_path)


def test_float16(tmp_path):
    config = run_config(train=train_settings(precision="float16", official_spectral=True))
    check_resume("train", config, tmp_path)


def test_a_second_line_of_defence(tmp_path, recorder):
    """A damaged newest checkpoint costs the steps since the one before it, and nothing else."""
    config = run_config(pretrain=pretrain_settings(checkpoint_every=2))
    whole, parts = folder(tmp_path, "whole"), folder(tmp_path, "parts")
    expected = run("pretrain", config, whole, Recorder())
    with pytest.raises(Interrupted):
        run("pretrain", config, parts, stop_at(5))
    newest = max(parts.glob("checkpoint-*.pt"))
    newest.write_bytes(newest.read_bytes()[:-100])
    found = run("pretrain", config, parts, recorder)
    assert recorder.steps[0] == 5
    assert any("is left out" in note for note in recorder.notes)
    check_same(found, expected)


@pytest.mark.parametrize("stage", ["pretrain", "train"])
def test_other_settings_are_refused(tmp_path, stage):
    with pytest.raises(Interrupted):
        run(stage, run_config(), tmp_path, stop_at(2))
    section = {stage: (pretrain_settings if stage == "pretrain" else train_settings)(weight_decay=0.5)}
    with pytest.raises(ConfigError, match=rf"{stage}\.weight_decay was 0\.0003 and is 0\.5 now"):
        run(stage, run_config(**section), tmp_path, Recorder())


def test_sigint_stops_politely_too(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted):
        run("pretrain", run_config(), tmp_path, stop_at(2, signal.SIGINT))
    assert signal.getsignal(signal.SIGINT) is before


def twice_at_step_2(number: signal.Signals) -> Recorder:
    """Send this process a signal twice."""

    def send(step: int) -> None:
        if step == 2:
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)

    return Recorder(send)


def test_a_second_sigint_acts_at_once(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run("pretrain", run_config(), tmp_path, twice_at_step_2(signal.SIGINT))


def test_sigterm_twice_is_still_a_polite_stop(tmp_path):
    """Slurm sends it at the time limit, and `srun` passes its own on, milliseconds later."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match="saved in"):
        run("pretrain", run_config(), tmp_path, twice_at_step_2(signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) is before
