"""What ends a solve of the solver per sample: typed, with the time and the sample."""

from __future__ import annotations

import math

import pytest
import torch
from sampling.solver_problems import decay, doubles

from lsgm.sampling import NumericalError, SolverError, integrate_each


def batch(count: int) -> tuple[torch.Tensor]:
    return (torch.ones(count, 3, dtype=torch.float64),)


def fails_below(time, state, rate, limit):
    """The decay, but not a number at times below the limit of a sample."""
    derivative = decay(time, state, rate)[0]
    return (torch.where((time < limit)[:, None], math.nan, derivative),)


def test_the_sample_and_the_time_of_a_bad_derivative_are_named():
    fixed = (doubles(1, 1, 1, 1), doubles(-1, -1, 0.5, 0.1))
    with pytest.raises(SolverError, match="non-finite derivative") as raised:
        integrate_each(fails_below, batch(4), 1.0, 1e-5, 1e-5, fixed)
    assert isinstance(raised.value, NumericalError)
    assert raised.value.sample == 2 and raised.value.time < 0.5
    assert "t = " in str(raised.value) and "sample 2 of the batch" in str(raised.value)


def test_samples_keep_their_names_when_others_have_left():
    """Samples 0 and 2 have long arrived when sample 3 meets its bad times."""
    fixed = (doubles(0.1, 50.0, 0.1, 50.0), doubles(-1, -1, -1, 0.02))
    with pytest.raises(SolverError) as raised:
        integrate_each(fails_below, batch(4), 1.0, 1e-5, 1e-7, fixed)
    assert raised.value.sample == 3 and raised.value.time < 0.02


def test_blow_up_is_found_where_it_is():
    """dy/dt = y^2 from y(0) is infinite at t = 1 / y(0): at 0.5 for the second sample, never for the others."""
    start = torch.tensor([0.1, 2.0, -1.0], dtype=torch.float64)[:, None]
    with pytest.raises(SolverError, match=r"underflow|non-finite") as raised:
        integrate_each(lambda time, state: (state[0] ** 2,), (start,), 0.0, 1.0, 1e-5)
    assert raised.value.sample == 1 and 0.45 < raised.value.time < 0.55


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_start_that_is_not_finite_is_refused_even_if_the_derivative_is(value):
    (state,) = batch(3)
    state[1, 2] = value
    with pytest.raises(SolverError, match="non-finite state") as raised:
        integrate_each(lambda time, state: (torch.ones_like(state[0]),), (state,), 0.0, 1.0, 1e-3)
    assert raised.value.sample == 1
    with pytest.raises(SolverError, match="non-finite state"):
        integrate_each(lambda time, state: (-state[0],), (state,), 0.0, 1.0, 1e-3)


def test_a_derivative_that_is_bad_at_the_start_is_found_there():
    fixed = (doubles(1, 1), doubles(-1, 2))
    with pytest.raises(SolverError, match="derivative") as raised:
        integrate_each(fails_below, batch(2), 1.0, 0.0, 1e-3, fixed)
    assert raised.value.sample == 1 and raised.value.time == 1.0


def test_step_underflow_is_named():
    """A derivative without a scale on which it is smooth: no step is small enough."""

    def rough(time, state, active):
        jump = torch.sin(1e17 * (time - 0.5) ** 2) * 1e17 * active
        return (jump[:, None] * torch.ones_like(state[0]),)

    with pytest.raises(SolverError, match="underflow of the step") as raised:
        integrate_each(rough, batch(2), 0.1, 1.0, 1e-8, (doubles(0.0, 1.0),))
    assert raised.value.sample == 1 and 0.1 <= raised.value.time <= 1


def test_an_endless_solve_is_ended_and_its_sample_named(monkeypatch):
    monkeypatch.setattr("lsgm.sampling.dopri5.MAX_CALLS", 50)
    calls = []

    def fast(time, state, speed):
        calls.append(len(time))
        return (torch.cos(speed * time)[:, None] * torch.ones_like(state[0]),)

    with pytest.raises(SolverError, match="more than 50 evaluations") as raised:
        integrate_each(fast, batch(3), 0.0, 1.0, 1e-8, (doubles(0.0, 1e4, 1e4),))
    assert raised.value.sample == 1 and len(calls) <= 50
    assert integrate_each(fast, batch(1), 0.0, 1.0, 1e-8, (doubles(0.0),)).calls <= 50
