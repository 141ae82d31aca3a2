"""What one of several processes learns, a signal or the end of the time slot, stops all of them at the same step."""

from __future__ import annotations

from pathlib import Path

import pytest
from distributed.processes import on_processes
from training.stop_cases import everything


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stops")


@pytest.fixture(scope="module")
def two(shared):
    return on_processes(2, everything, shared)


def test_sigusr2_to_one_process(two, shared):
    for found in two:
        message, steps = found["signal"]
        assert message.startswith("Interrupted: stopped at step 2 of 8, saved in")
        assert steps == [1, 2]
    assert sorted(file.name for file in (shared / "signal").glob("*.pt"))[-1].startswith("checkpoint-00000002")


def test_the_end_of_the_time_slot_seen_by_one_process(two):
    for found in two:
        message, steps = found["deadline"]
        assert message.startswith("Interrupted: stopped at step 3 of 8, saved in")
        assert "50 s after the end of its time (the last process's time)" in message
        assert steps == [1, 2, 3]


def test_a_slot_without_time_for_a_step_is_refused_by_all(two):
    for found in two:
        message, steps = found["too short"]
        assert message.startswith("ConfigError: the last process's time: 0 s were left before the first step")
        assert steps == []
