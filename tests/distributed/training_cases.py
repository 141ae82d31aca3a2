"""What the processes of the training tests do: a few steps of both stages, in float64 where sums may be exact."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from unittest import mock

import pytest
import torch
from training.injected_nan import break_images, until_gentle
from training.small_run import (
    OBJECTIVES,
    PRIOR,
    VESDE,
    Recorder,
    backbone,
    blocks,
    folder,
    pretrain_settings,
    run_config,
    train_settings,
)

from lsgm import distributed
from lsgm.config import ConfigError, ExperimentConfig
from lsgm.data import batches
from lsgm.training import Interrupted, TrainResult, pretrain, train

# Dropout's masks are the one thing that depends on the number of processes.
NO_DROPOUT = PRIOR.model_copy(update={"dropout": 0.0})
SHORT = {"epochs": 1, "warmup_epochs": 0, "log_every": 2}
CASES = {
    "pretrain": {"pretrain": pretrain_settings(**SHORT, kl_balance=True)},
    **{name: {"objective": objective} for name, objective in OBJECTIVES.items()},
    "prior only": {"train": train_settings(**SHORT, train_vae=False, drop_inactive=True)},
    "moving statistics": {"train": train_settings(**SHORT, train_vae=False, official_frozen_vae=True)},
    "vesde": {
        "sde": VESDE,
        "objective": OBJECTIVES["algorithm 1"],
        "train": train_settings(**SHORT, train_vae=False),
    },
}


def config_of(case: str) -> ExperimentConfig:
    return run_config(**({"prior": NO_DROPOUT, "train": train_settings(**SHORT)} | CASES[case]))


@contextmanager
def exact() -> Iterator[None]:
    """Weights, images and draws in float64."""
    original = batches.to_model_input
    torch.set_default_dtype(torch.float64)
    try:
        with mock.patch.object(batches, "to_model_input", lambda *words: original(*words).double()):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


def run_case(case: str, work: Path, recorder: Recorder | None = None) -> TrainResult:
    config = config_of(case)
    recorder = recorder or Recorder()
    if case == "pretrain":
        return pretrain(config, blocks(), work, reporter=recorder)
    return train(config, blocks(), backbone(config), work, reporter=recorder)


def outcome(result: TrainResult) -> dict[str, object]:
    final = {key: value for key, value in result.final.items() if key != "seconds"}
    return {"state": result.model.state_dict(), "final": final, "sigma2_max": result.config.sde.sigma2_max}


def work_of(path: Path, name: str) -> Path:
    """A folder that all processes share."""
    return distributed.on_first(lambda: folder(path, name))


def train_all(path: Path) -> dict[str, dict[str, object]]:
    with exact():
        return {case: outcome(run_case(case, work_of(path, case))) for case in CASES}


def train_in_float32(path: Path) -> dict[str, object]:
    return outcome(run_case("algorithm 3", work_of(path, "float32")))


def stop_second(path: Path) -> tuple[str, list[int]]:
    """The last process alone gets a signal after step 2; the run goes on in another number of processes."""
    last = distributed.rank() == distributed.size() - 1
    recorder = Recorder(lambda step: os.kill(os.getpid(), signal.SIGTERM) if last and step == 2 else None)
    with exact():
        try:
            run_case("algorithm 2", work_of(path, "stopped"), recorder)
        except Interrupted as stop:
            return str(stop), recorder.steps
    return "", recorder.steps


def resume_stopped(path: Path) -> dict[str, object]:
    with exact():
        return outcome(run_case("algorithm 2", path / "stopped"))


def indivisible(path: Path) -> str:
    config = run_config(pretrain=pretrain_settings(batch_size=7))
    try:
        pretrain(config, blocks(), path, reporter=Recorder())
    except ConfigError as error:
        return str(error)
    return ""


def spoiled(path: Path) -> tuple[int, float]:
    """One process's images are not numbers in step 1: all skip the step."""
    original = batches.TrainBatches.batch

    def damaged(self: batches.TrainBatches, step: int, rows: slice = slice(None)) -> torch.Tensor:
        x = original(self, step, rows)
        return x * torch.nan if step == 1 and distributed.rank() == distributed.size() - 1 else x

    with mock.patch.object(batches.TrainBatches, "batch", damaged):
        result = run_case("pretrain", work_of(path, "spoiled"))
    state = result.model.state_dict()
    return result.skipped_updates, float(sum(value.sum() for value in state.values()))


def rescued(path: Path) -> tuple[dict[str, torch.Tensor], list[tuple]]:
    """One process's images are not numbers until the learning rate is halved: all go back to the same step."""
    last = distributed.rank() == distributed.size() - 1
    settings = pretrain_settings(**SHORT, checkpoint_every=1, max_skipped=1)
    with pytest.MonkeyPatch.context() as patch:
        break_images(patch, lambda stage, step: last and until_gentle(range(2, 4))(stage, step))
        work = work_of(path, "rescued")
        result = pretrain(run_config(pretrain=settings), blocks(), work, reporter=Recorder())
    return result.model.state_dict(), [astuple(rollback) for rollback in result.rollbacks]


def everything(path: Path) -> dict[str, object]:
    return {
        "all": train_all(path),
        "float32": train_in_float32(path),
        "stopped": stop_second(path),
        "indivisible": indivisible(path),
        "spoiled": spoiled(path),
        "rescued": rescued(path),
    }
