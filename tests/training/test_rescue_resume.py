"""A rescued run, stopped or killed anywhere, goes on to the same rollbacks and the same weights."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training.injected_nan import break_images, until_gentle
from training.small_run import Recorder, backbone, blocks, folder, pretrain_settings, run_config, train_settings

from lsgm.training import Interrupted, TrainResult, pretrain, read_curve, train

SETTINGS = {"checkpoint_every": 2, "log_every": 1, "max_skipped": 2}
CONFIG = run_config(pretrain=pretrain_settings(**SETTINGS), train=train_settings(**SETTINGS))
# Two rollbacks: from step 6 to 4, and without progress from 6 to 2.
TROUBLE = until_gentle(range(4, 6), 0.3)


class Killed(BaseException):
    """What a process does not survive."""


class Deadly(Recorder):
    """Kills the run, or stops it, at the n-th call of one of its methods."""

    def __init__(self, event: str, number: int, act: Callable[[], None]) -> None:
        super().__init__()
        self._event, self._left, self._act = event, number, act

    def _count(self, event: str) -> None:
        if event == self._event:
            self._left -= 1
            if self._left == 0:
                self._act()

    def start(self, stage: str, done: int, total: int) -> None:
        super().start(stage, done, total)
        self._count("start")

    def advance(self, step: int, record) -> None:
        super().advance(step, record)
        self._count("advance")

    def note(self, text: str) -> None:
        super().note(text)
        self._count("note")


def kill() -> None:
    raise Killed


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def run(work: Path, reporter: Recorder, stage: str = "pretrain") -> TrainResult:
    if stage == "pretrain":
        return pretrain(CONFIG, blocks(), work, reporter=reporter)
    return train(CONFIG, blocks(), backbone(CONFIG), work, reporter=reporter)


def check_same(found: TrainResult, expected: TrainResult, works: list[Path]) -> None:
    left, right = found.model.state_dict(), expected.model.state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert found.rollbacks == expected.rollbacks
    without_times = {"model": None, "final": None, "seconds": 0, "cpu_seconds": 0}
    assert replace(found, **without_times) == replace(expected, **without_times)
    curves = [[{**record, "seconds": 0} for record in read_curve(work / "curves.jsonl")] for work in works]
    assert curves[0] == curves[1]


@pytest.fixture
def trouble(monkeypatch) -> None:
    break_images(monkeypatch, TROUBLE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[TrainResult, Path]:
    work = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        break_images(patch, TROUBLE)
        result = run(work, Recorder())
    assert [(rollback.step, rollback.rolled_back_to) for rollback in result.rollbacks] == [(6, 4), (6, 2)]
    assert result.status == "ok"
    return result, work


# Whole steps are 1 to 5, 5 again, and 3 to 8; `start` counts the beginning and what follows each rollback.
@pytest.mark.parametrize(
    ("act", "event", "number"),
    [
        (kill, "advance", 1),
        (kill, "advance", 5),
        (kill, "advance", 6),
        (kill, "start", 2),
        (kill, "start", 3),
        (stop, "advance", 3),
        (stop, "advance", 5),
        (stop, "start", 2),
    ],
)
def test_anywhere(tmp_path, trouble, whole, event, number, act):
    with pytest.raises(Killed if act is kill else Interrupted):
        run(tmp_path, Deadly(event, number, act))
    check_same(run(tmp_path, Recorder()), whole[0], [tmp_path, whole[1]])


@pytest.mark.parametrize("rename", [1, 2])
def test_killed_while_the_first_rollback_is_written(tmp_path, trouble, whole, monkeypatch, rename):
    """First its checksum is renamed, then the file itself."""
    replace_file, counted = os.replace, []

    def fragile(source, target) -> None:
        counted.append("rollback1" in str(target))
        if sum(counted) == rename and counted[-1]:
            raise Killed
        replace_file(source, target)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("lsgm.training.checkpoint.os.replace", fragile)
        run(tmp_path, Recorder())
    check_same(run(tmp_path, Recorder()), whole[0], [tmp_path, whole[1]])


def test_killed_again_and_again(tmp_path, trouble, whole):
    """Each life is three steps long, a rollback included."""
    for _ in range(20):
        try:
            result = run(tmp_path, Deadly("advance", 3, kill))
        except Killed:
            continue
        break
    check_same(result, whole[0], [tmp_path, whole[1]])


def test_a_damaged_checkpoint_after_the_rollback(tmp_path, trouble, whole):
    """The checkpoint before it is used: its steps are taken again, and the rollback as well."""
    with pytest.raises(Killed):
        run(tmp_path, Deadly("start", 2, kill))
    newest = tmp_path / "checkpoint-00000004-rollback1.pt"
    newest.write_bytes(newest.read_bytes()[:-10])
    recorder = Recorder()
    check_same(run(tmp_path, recorder), whole[0], [tmp_path, whole[1]])
    assert any("rollback1.pt is left out" in note for note in recorder.notes)


def test_joint(tmp_path, trouble):
    works = [folder(tmp_path, name) for name in ("whole", "parts")]
    expected = run(works[0], Recorder(), "train")
    with pytest.raises(Interrupted):
        run(works[1], Deadly("start", 2, stop), "train")
    with pytest.raises(Killed):
        run(works[1], Deadly("advance", 2, kill), "train")
    check_same(run(works[1], Recorder(), "train"), expected, works[::-1])
    assert len(expected.rollbacks) == 2
