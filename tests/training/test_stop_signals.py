"""Stop signals: which ones, copies and second ones, and those that come while a checkpoint is written."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from training.small_run import Recorder, blocks, folder, pretrain_settings, run_config

from lsgm.stop_signals import stop_signals
from lsgm.training import Interrupted, StopRequest, TrainResult, pretrain
from lsgm.training import checkpoint as checkpoint_module

POLITE = [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2]


class AtOnce(Exception):  # noqa: N818
    """What the handler before ours does with a signal."""


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sigterm_raises() -> Iterator[None]:
    """SIGTERM ends the test's process no more than our handler lets it."""

    def act(number: int, frame: object) -> None:
        raise AtOnce

    before = signal.signal(signal.SIGTERM, act)
    yield
    signal.signal(signal.SIGTERM, before)


def run(
    work: Path, stop: StopRequest | None = None, reporter: Recorder | None = None, **changes: object
) -> TrainResult:
    config = run_config(pretrain=pretrain_settings(**changes))
    return pretrain(config, blocks(), work, reporter=reporter or Recorder(), stop=stop)


def check_same(first: TrainResult, second: TrainResult) -> None:
    left, right = first.model.state_dict(), second.model.state_dict()
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("number", POLITE)
def test_a_signal_is_kept_and_the_handler_before_comes_back(number, sigterm_raises):
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert not stop.is_due
        signal.raise_signal(number)
        assert stop.is_due
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_is_to_be_ignored_is_ignored(number):
    """As by nohup, or of a command that a script has started in the background."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            signal.raise_signal(number)
            assert not stop.requested
    finally:
        signal.signal(number, before)


def test_faults_are_no_wish_to_stop():
    faults = {
        signal.SIGSEGV,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSYS,
        signal.SIGTRAP,
    }
    assert not faults & set(stop_signals())


def test_a_user_signal_in_use_is_left_alone():
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    try:
        with StopRequest() as stop:
            signal.raise_signal(signal.SIGUSR1)
            assert not stop.requested
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]


def test_copies_of_a_signal_are_no_second_one(clock, sigterm_raises):
    with StopRequest(clock=clock) as stop:
        for number in (signal.SIGTERM, signal.SIGUSR2, signal.SIGTERM):
            signal.raise_signal(number)
            clock.now += 0.9
        assert stop.requested


@pytest.mark.parametrize("first", POLITE)
def test_a_second_signal_acts_at_once(first, clock, sigterm_raises):
    with StopRequest(clock=clock):
        signal.raise_signal(first)
        clock.now += 2.1
        with pytest.raises(AtOnce):
            signal.raise_signal(signal.SIGTERM)


def test_a_second_ctrl_c_acts_at_once_however_fast(clock):
    with StopRequest(clock=clock):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_of_several_processes_ctrl_c_reaches_each_twice(clock, monkeypatch):
    """From the terminal, and from `torchrun`."""
    monkeypatch.setattr("lsgm.distributed.size", lambda: 2)
    with StopRequest(clock=clock):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        clock.now += 2.1
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGXCPU, signal.SIGRTMIN + 3])
def test_a_signal_that_would_end_the_process_stops_a_run(tmp_path, number):
    recorder = Recorder(lambda step: os.kill(os.getpid(), number) if step == 3 else None)
    with pytest.raises(Interrupted, match="stopped at step 3 of 8, saved in"):
        run(tmp_path, reporter=recorder)


def test_a_signal_before_the_loop_stops_it_before_its_first_step(tmp_path):
    whole, parts = folder(tmp_path, "whole"), folder(tmp_path, "parts")
    recorder = Recorder()
    with StopRequest() as stop:
        signal.raise_signal(signal.SIGUSR2)
        with pytest.raises(Interrupted, match="stopped at step 0 of 8, saved in"):
            run(parts, stop, recorder)
    assert recorder.steps == []
    check_same(run(parts), run(whole))


def signal_while_writing(monkeypatch: pytest.MonkeyPatch, action) -> None:
    """Do something in the middle of the checkpoint after step 4, when its file is written but has no name yet."""
    original = checkpoint_module.os.replace

    def act(source: object, target: object) -> None:
        if "00000004" in str(target) and str(target).endswith(".pt"):
            action()
        original(source, target)

    monkeypatch.setattr(checkpoint_module.os, "replace", act)


def test_a_signal_while_a_checkpoint_is_written_lets_it_end(tmp_path, monkeypatch):
    signal_while_writing(monkeypatch, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(Interrupted, match="stopped at step 4 of 8"):
        run(tmp_path, checkpoint_every=2)
    recorder = Recorder()
    run(tmp_path, reporter=recorder, checkpoint_every=2)
    assert recorder.steps[0] == 5


def test_a_second_signal_while_a_checkpoint_is_written_leaves_the_one_before(
    tmp_path, clock, sigterm_raises, monkeypatch
):
    whole, parts = folder(tmp_path, "whole"), folder(tmp_path, "parts")

    def twice() -> None:
        signal.raise_signal(signal.SIGTERM)
        clock.now += 10
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch, StopRequest(clock=clock) as stop:
        signal_while_writing(patch, twice)
        with pytest.raises(AtOnce):
            run(parts, stop, checkpoint_every=2)
    recorder = Recorder()
    found = run(parts, reporter=recorder, checkpoint_every=2)
    assert recorder.steps[0] == 3
    check_same(found, run(whole, checkpoint_every=2))
