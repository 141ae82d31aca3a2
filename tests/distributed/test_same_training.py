"""Several processes train what one trains: same weights, averages and running statistics, to rounding."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from distributed.processes import on_processes
from distributed.training_cases import CASES, everything, resume_stopped, train_all, train_in_float32


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def two(shared):
    return on_processes(2, everything, shared)


@pytest.fixture(scope="module")
def one(tmp_path_factory, one_thread):
    return train_all(tmp_path_factory.mktemp("one"))


def largest_difference(found: dict[str, object], expected: dict[str, object]) -> float:
    """Largest relative difference of a tensor, by its norm."""
    assert found["state"].keys() == expected["state"].keys()
    differences = []
    for name, value in expected["state"].items():
        assert found["state"][name].dtype == value.dtype
        difference = (found["state"][name].double() - value.double()).norm()
        differences.append(float(difference / value.double().norm().clamp_min(1e-3)))
    return max(differences)


def check_same(found: dict[str, object], expected: dict[str, object], tolerance: float) -> None:
    assert largest_difference(found, expected) < tolerance
    assert found["sigma2_max"] == pytest.approx(expected["sigma2_max"], rel=tolerance)
    assert found["final"].keys() == expected["final"].keys()
    for key, value in expected["final"].items():
        assert found["final"][key] == pytest.approx(value, rel=10 * tolerance, abs=10 * tolerance), key


@pytest.mark.parametrize("case", CASES)
def test_two_processes(one, two, case):
    for found in two:
        check_same(found["all"][case], one[case], 1e-10)
    states = [found["all"][case]["state"] for found in two]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_in_float32(two, tmp_path):
    check_same(two[0]["float32"], train_in_float32(tmp_path), 1e-5)


@pytest.mark.slow
def test_four_processes(one, tmp_path):
    for found in on_processes(4, train_all, tmp_path):
        for case in CASES:
            check_same(found[case], one[case], 1e-10)


def test_a_signal_to_one_process_stops_all_at_the_same_step(two):
    for found in two:
        message, steps = found["stopped"]
        assert "stopped at step 2 of 4" in message
        assert steps == [1, 2]


def test_one_process_goes_on_where_two_stopped(one, two, shared):
    names = sorted(file.name for file in (shared / "stopped").glob("checkpoint-*.pt"))
    assert names == ["checkpoint-00000000.pt", "checkpoint-00000002.pt"]
    check_same(resume_stopped(shared), one["algorithm 2"], 1e-10)


def test_curve_and_checkpoints_are_written_once(two, shared):
    lines = (shared / "algorithm 3" / "curves.jsonl").read_text().splitlines()
    assert len(lines) == 2


def test_a_batch_that_cannot_be_dealt_is_refused(two):
    message = "pretrain.batch_size = 7 cannot be dealt to 2 processes in equal parts; take a multiple of 2"
    assert all(found["indivisible"].startswith(message) for found in two)


def test_what_is_not_finite_in_one_process_is_skipped_by_all(two):
    first, second = (found["spoiled"] for found in two)
    assert first == second
    assert first[0] == 1
    assert math.isfinite(first[1])


def test_all_go_back_together(two):
    """What only one has found is known to all."""
    (first, rollbacks), (second, others) = (found["rescued"] for found in two)
    assert rollbacks == others
    assert [(step, found, back_to) for step, _, found, back_to, *_ in rollbacks] == [(3, "the images of the batch", 2)]
    assert all(torch.equal(first[name], second[name]) for name in first)
