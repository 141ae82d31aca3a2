"""The end of a time slot: a run saves itself before it, by what steps and checkpoints were measured to take."""

from __future__ import annotations

import math
import signal
from pathlib import Path

import pytest
import torch
from training.small_run import Recorder, blocks, folder, pretrain_settings, run_config

from lsgm.config import ConfigError
from lsgm.training import Deadline, Interrupted, StopRequest, TrainResult, pretrain
from lsgm.training.checkpoint import CheckpointStore
from lsgm.training.signals import LEAST_SECONDS, RECENT_STEPS, SAFETY


class Clock:
    """Time that passes in steps and checkpoints only."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


STEP, SAVE, SLOT = 10.0, 30.0, 130.0


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """A step takes 10 s, a checkpoint 30 s."""
    clock = Clock()
    original = CheckpointStore.save

    def slow(*words: object, **options: object) -> object:
        clock.wait(SAVE)
        return original(*words, **options)

    monkeypatch.setattr(CheckpointStore, "save", slow)
    return clock


def run(work: Path, clock: Clock, end: float, recorder: Recorder | None = None) -> TrainResult:
    recorder = recorder or Recorder(lambda step: clock.wait(STEP))
    config = run_config(pretrain=pretrain_settings())
    with StopRequest(Deadline(clock.now + end, "--minutes 3", clock)) as stop:
        return pretrain(config, blocks(), work, reporter=recorder, stop=stop)


def test_the_margin_is_what_a_step_and_a_checkpoint_took():
    clock = Clock()
    deadline = Deadline(1000.0, clock=clock)
    assert deadline.margin == LEAST_SECONDS
    for seconds in (7.0, 5.0):
        with deadline.step():
            clock.wait(seconds)
    with deadline.step():
        clock.wait(1.0)
        with deadline.save():
            clock.wait(20.0)
    assert deadline.margin == LEAST_SECONDS + 7.0 + SAFETY * 20.0, "the checkpoint is no part of the step"
    for _ in range(RECENT_STEPS):
        with deadline.step():
            clock.wait(2.0)
    assert deadline.margin == LEAST_SECONDS + 2.0 + SAFETY * 20.0, "the first steps are forgotten"
    clock.now = 1000.0 - deadline.margin - 0.01
    assert not deadline.is_near
    clock.now += 0.02
    assert deadline.is_near


def test_without_an_end_nothing_is_due_and_nothing_is_saved_for_the_sake_of_measuring():
    deadline = Deadline()
    assert not deadline.needs_a_save and not deadline.is_near and math.isinf(deadline.left)


def test_slots_end_in_time_and_the_run_is_that_without_them(tmp_path, clock):
    whole, parts = folder(tmp_path, "whole"), folder(tmp_path, "parts")
    expected = run(whole, clock, math.inf)
    stops = []
    for _ in range(8):
        began = clock.now
        try:
            found = run(parts, clock, SLOT)
            break
        except Interrupted as stop:
            assert clock.now - began <= SLOT - SAVE, "a checkpoint that takes twice as long is in time, too"
            stops.append(str(stop))
    assert 2 <= len(stops) <= 4, stops
    assert all("after the end" not in stop for stop in stops)
    left, right = expected.model.state_dict(), found.model.state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_a_slot_without_time_for_a_step_is_refused(tmp_path, clock):
    recorder = Recorder()
    with pytest.raises(ConfigError, match=r"^--minutes 3: 0 s were left before the first step.*give it more time$"):
        run(tmp_path, clock, 0.5, recorder)
    assert recorder.steps == []


def test_a_signal_in_a_slot_without_time_is_still_a_polite_stop(tmp_path, clock):
    with StopRequest(Deadline(-1.0, clock=clock)) as stop:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted, match="stopped at step 0"):
            pretrain(run_config(), blocks(), tmp_path, reporter=Recorder(), stop=stop)


def test_a_run_that_cannot_stop_in_time_saves_its_step_and_says_so(tmp_path, clock):
    """The first step of a slot and its checkpoint take longer than the slot: nobody could know."""
    with pytest.raises(Interrupted, match="stopped at step 3 of 8"):
        run(tmp_path, clock, SLOT)
    with pytest.raises(Interrupted, match=r"at step 4 of 8.*, 5 s after the end of its time \(--minutes 3\), which"):
        run(tmp_path, clock, STEP + SAVE - 5.0)
    recorder = Recorder()
    run(tmp_path, clock, math.inf, recorder)
    assert recorder.steps[0] == 5
