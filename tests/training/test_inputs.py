from __future__ import annotations

import threading
from contextlib import closing

import pytest
import torch

from lsgm.training.noise import BatchNoise, Prefetcher, StepInputs, posterior_noise


def test_inputs_come_for_the_step_asked_and_one_ahead():
    made: list[tuple[int, str]] = []

    def make(step: int) -> StepInputs:
        made.append((step, threading.current_thread().name))
        return StepInputs(torch.full((1,), float(step)), BatchNoise([]))

    prefetcher = Prefetcher(make)
    assert [prefetcher(step).x.item() for step in (5, 6, 7, 3, 4)] == [5, 6, 7, 3, 4]
    prefetcher.close()
    assert [step for step, name in made if not name.startswith("inputs")] == [5, 3]


def test_an_error_in_the_thread_is_raised():
    def make(step: int) -> StepInputs:
        if step == 1:
            raise ValueError("no such batch")
        return StepInputs(torch.zeros(1), BatchNoise([]))

    prefetcher = Prefetcher(make)
    prefetcher(0)
    with pytest.raises(ValueError, match="no such batch"):
        prefetcher(1)
    prefetcher.close()


def test_posterior_noise_is_keyed_by_the_step():
    shapes = [(2, 4, 4), (2, 8, 8)]
    first, again, other = (
        posterior_noise(3, shapes, seed, "test", step, torch.device("cpu")) for seed, step in ((0, 1), (0, 1), (0, 2))
    )
    assert [tuple(noise.shape) for noise in first] == [(3, 2, 4, 4), (3, 2, 8, 8)]
    assert all(torch.equal(left, right) for left, right in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert not torch.equal(first[0].flatten(), first[1].flatten()[: first[0].numel()])


def test_going_back_waits_for_what_is_being_made():
    """Batches keep the order of one epoch, so that two threads must not make any at the same time."""
    log, released = [], threading.Event()

    def make(step: int) -> StepInputs:
        log.append(("begin", step))
        if step == 6 and ("end", 6) not in log:
            released.wait()
        log.append(("end", step))
        return StepInputs(torch.tensor(step), BatchNoise([]))

    with closing(Prefetcher(make)) as inputs:
        inputs(5)
        threading.Timer(0.05, released.set).start()
        assert inputs(4).x == 4
    assert log[:6] == [(what, step) for step in (5, 6, 4) for what in ("begin", "end")]
