from __future__ import annotations

import math

import pytest

from lsgm.config import KlSchedule
from lsgm.training.optim import LearningRate, kl_coeff


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.7), (199, 0.84925), (200, 0.85), (400, 1.0), (401, 1.0), (3999, 1.0)]
)
def test_kappa_of_the_joint_stage(step, expected):
    schedule = KlSchedule(start=0.7, end=1.0, const_portion=0.0, anneal_portion=0.1)
    assert kl_coeff(step, 4000, schedule) == pytest.approx(expected)


def test_kappa_is_constant_first():
    schedule = KlSchedule(start=1e-4, end=0.7, const_portion=0.25, anneal_portion=0.5)
    values = [kl_coeff(step, 100, schedule) for step in (0, 25, 50, 75, 99)]
    assert values == pytest.approx([1e-4, 1e-4, 0.35005, 0.7, 0.7])


def test_kappa_may_fall():
    assert kl_coeff(99, 100, KlSchedule(start=1.0, end=0.5, anneal_portion=0.1)) == 0.5


def test_learning_rate():
    rate = LearningRate(base=1e-2, minimum=1e-4, epochs=10, warmup_epochs=2, steps_per_epoch=5)
    assert [rate(step) for step in (0, 1, 9)] == pytest.approx([0, 1e-3, 9e-3])
    # Epoch 2 is at the base rate; seven epochs of cosine follow, the last at the minimum.
    assert rate(10) == rate(14) == 1e-2
    for elapsed in range(1, 8):
        expected = 1e-4 + 0.5 * (1e-2 - 1e-4) * (1 + math.cos(math.pi * elapsed / 7))
        assert rate(10 + 5 * elapsed) == rate(14 + 5 * elapsed) == pytest.approx(expected)
    assert rate(49) == pytest.approx(1e-4)


@pytest.mark.parametrize(("epochs", "warmup"), [(1, 0), (2, 1), (3, 5), (1, 1)])
def test_learning_rate_of_short_runs_stays_finite(epochs, warmup):
    rate = LearningRate(1e-2, 1e-4, epochs, warmup, steps_per_epoch=4)
    assert all(0 <= rate(step) <= 1e-2 for step in range(4 * epochs))


def test_equal_rates_are_constant_after_the_warm_up():
    rate = LearningRate(3e-4, 3e-4, 20, 2, 3)
    assert {rate(step) for step in range(6, 60)} == {3e-4}
