"""Runs of four steps that are saved after each of them, and the comparison of all that a state holds."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest
import torch
from training.small_run import Recorder, backbone, blocks

from lsgm.config import ExperimentConfig, KlSchedule
from lsgm.training import TrainResult, pretrain, train
from lsgm.training.checkpoint import CheckpointStore

STEPS, IMAGES = 4, 16
LOOP = {
    "epochs": 2,
    "log_every": 3,
    "checkpoint_every": 1,
    "grad_clip": 5.0,
    "kl": KlSchedule(start=0.5, const_portion=1 / STEPS, anneal_portion=4 / STEPS),
}


@dataclass
class Saved:
    """What a run has written: states by step, and for each the folder as it was then."""

    states: dict[int, Mapping[str, object]] = field(default_factory=dict)
    folders: dict[int, Path] = field(default_factory=dict)


@contextmanager
def watched(work: Path) -> Iterator[Saved]:
    """Keep a copy of the folder after each checkpoint, as a kill would leave it."""
    saved, original = Saved(), CheckpointStore.save

    def save(self: CheckpointStore, step: int, state: Mapping[str, object], *rest: object, **names: object) -> Path:
        path = original(self, step, state, *rest, **names)
        saved.states[step] = copy.deepcopy(dict(state))
        saved.folders[step] = work.with_name(f"{work.name}-{step}")
        shutil.copytree(work, saved.folders[step])
        return path

    with mock.patch.object(CheckpointStore, "save", save):
        yield saved


def run(case: str, config: ExperimentConfig, work: Path) -> tuple[TrainResult, Saved]:
    data = blocks(IMAGES)
    with watched(work) as saved:
        if case.startswith("pretraining"):
            return pretrain(config, data, work, reporter=Recorder()), saved
        return train(config, data, backbone(config), work, reporter=Recorder()), saved


def check_equal(found: object, expected: object, place: str, tolerance: float = 0.0) -> None:
    """All that a state may hold, to the last bit or to a relative tolerance; times are no part of it."""
    if isinstance(expected, Mapping):
        assert found.keys() == expected.keys(), place
        for name, value in expected.items():
            if name not in ("seconds", "time"):
                check_equal(found[name], value, f"{place}.{name}", tolerance)
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), place
        for index, value in enumerate(expected):
            check_equal(found[index], value, f"{place}.{index}", tolerance)
    elif isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype, place
        if tolerance:
            difference = (found.double() - expected.double()).norm()
            assert difference <= tolerance * expected.double().norm().clamp_min(1e-3), place
        else:
            assert torch.equal(found, expected), place
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=tolerance, abs=tolerance, nan_ok=True), place
    else:
        assert found == expected, place
