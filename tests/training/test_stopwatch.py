"""Time of a run in several parts."""

from __future__ import annotations

import time

import pytest

from lsgm.training.logging import Stopwatch


def clocks(monkeypatch: pytest.MonkeyPatch, wall: list[float], processor: list[float]) -> None:
    monkeypatch.setattr(time, "perf_counter", lambda: wall[0])
    monkeypatch.setattr(time, "process_time", lambda: processor[0])


def test_what_comes_before_the_start_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, processor = [100.0], [10.0]
    clocks(monkeypatch, wall, processor)
    watch = Stopwatch()
    wall[0], processor[0] = 160.0, 20.0
    watch.start()
    wall[0], processor[0] = 163.0, 25.5
    assert (watch.seconds, watch.cpu_seconds) == (3.0, 5.5)


def test_a_run_that_goes_on_adds_to_what_its_earlier_parts_took(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, processor = [0.0], [0.0]
    clocks(monkeypatch, wall, processor)
    first, second = Stopwatch(), Stopwatch()
    wall[0], processor[0] = 4.0, 7.0
    second.load_state_dict(first.state_dict())
    second.start()
    wall[0], processor[0] = 5.0, 9.0
    assert (second.seconds, second.cpu_seconds) == (5.0, 9.0)
