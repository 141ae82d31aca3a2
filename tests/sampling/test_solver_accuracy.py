"""The solver with error control per sample against closed forms."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from sampling.solver_problems import Logged, decay, doubles, swing
from scipy.integrate import solve_ivp

from lsgm.sampling import integrate, integrate_each
from lsgm.sampling.dopri5 import ERROR, NODES, STAGES, error_ratio, next_step, take_step

RATES = doubles(0.1, 1.0, 7.0, 60.0, 400.0)


def test_tableau_is_consistent():
    """Rows add up to their nodes; both solutions integrate powers of t up to their order (quadrature conditions)."""
    for node, row in zip(NODES, STAGES, strict=True):
        assert sum(row) == pytest.approx(node, abs=1e-14)
    nodes, weights = (0.0, *NODES), (*STAGES[-1], 0.0)
    for power in range(5):
        moment = sum(weight * node**power for weight, node in zip(weights, nodes, strict=True))
        assert moment == pytest.approx(1 / (power + 1), abs=1e-14)
    for power in range(4):
        difference = sum(weight * node**power for weight, node in zip(ERROR, nodes, strict=True))
        assert difference == pytest.approx(0, abs=1e-14)


def test_fixed_steps_are_of_order_five():
    errors = []
    for count in (4, 8, 16, 32):
        time, size, state = doubles(0.0), doubles(2 / count), (torch.ones(1, 1, dtype=torch.float64),)
        derivative = swing(time, state)
        for _ in range(count):
            step = take_step(swing, time, time + size, size, state, derivative)
            time, state, derivative = time + size, step.state, step.derivative
        errors.append(abs(state[0].item() - math.exp(math.sin(2))))
    orders = [math.log2(one / other) for one, other in pairwise(errors)]
    assert all(4.7 < order < 5.6 for order in orders), orders


def test_estimate_of_a_step_is_of_order_five():
    """It is the error of a solution of order 4, hence O(size^5) for one step."""
    start = (torch.ones(1, 1, dtype=torch.float64),)
    estimates = []
    for size in (doubles(0.2), doubles(0.1), doubles(0.05)):
        step = take_step(swing, doubles(0.3), doubles(0.3) + size, size, start, swing(doubles(0.3), start))
        estimates.append(step.error[0].abs().item())
    assert all(4.6 < math.log2(one / other) < 5.4 for one, other in pairwise(estimates))


@pytest.mark.parametrize("tol", [1e-3, 1e-5, 1e-7, 1e-9])
@pytest.mark.parametrize("start, end", [(0.0, 1.0), (1.0, 0.0)])
def test_decay_at_every_stiffness_stays_within_the_tolerance(tol, start, end):
    """Backwards the decay grows, by e^rate, and its error with it; the stiffest are left out there."""
    rates = RATES if end > start else RATES[:3]
    state = torch.ones(len(rates), 2, dtype=torch.float64)
    solution = integrate_each(decay, (state,), start, end, tol, (rates,))
    exact = torch.exp(-rates * (end - start))[:, None].expand_as(state)
    error = ((solution.state[0] - exact).abs() / (1 + exact)).amax(dim=1)
    assert error.max() < 30 * tol
    assert (solution.evaluations % 6 == 2).all() and solution.calls == solution.evaluations.max()
    assert (solution.evaluations.diff() >= 0).all(), "a stiffer decay takes more steps"


def test_tighter_tolerances_cost_more_and_give_more():
    errors, costs = [], []
    for tol in (1e-2, 1e-4, 1e-6, 1e-8, 1e-10):
        solution = integrate_each(swing, (torch.ones(1, 3, dtype=torch.float64),), 0.0, 6.0, tol)
        errors.append((solution.state[0] - math.exp(math.sin(6.0))).abs().max().item())
        costs.append(solution.calls)
    assert costs == sorted(set(costs)) and errors[-1] < 1e-8 < errors[0]
    assert all(error < 30 * tol for error, tol in zip(errors, (1e-2, 1e-4, 1e-6, 1e-8, 1e-10), strict=True))


@pytest.mark.parametrize("tol", [1e-3, 1e-5, 1e-8])
@pytest.mark.parametrize("rate", [0.5, 8.0, 90.0])
def test_one_sample_alone_is_what_other_solvers_give(tol, rate):
    """torchdiffeq estimates errors as ours; SciPy's RK45 takes half as much again, up to 8 % in calls."""
    state = doubles(0.3, -1.2, 0.8, 2.0)[None]
    solution = integrate_each(decay, (state,), 1e-5, 1.0, tol, (doubles(rate),))
    (together,), calls = integrate(lambda t, y: decay(t, y, doubles(rate)), (state,), 1e-5, 1.0, tol)
    torch.testing.assert_close(solution.state[0], together, rtol=30 * tol, atol=30 * tol)
    assert abs(solution.calls - calls) <= max(12, 0.05 * calls)
    scipy = solve_ivp(lambda t, y: -rate * y, (1e-5, 1.0), state[0].numpy(), rtol=tol, atol=tol)
    torch.testing.assert_close(solution.state[0][0], torch.as_tensor(scipy.y[:, -1]), rtol=30 * tol, atol=30 * tol)
    assert 0.87 * scipy.nfev - 12 <= solution.calls <= 1.05 * scipy.nfev + 12


def test_parts_are_held_to_the_tolerance_apart():
    """A long, easy part must not hide the error of a short one, as it would in one mean over both."""

    def both(time, state, rate):
        return (*decay(time, (state[0],), rate), torch.zeros_like(state[1]))

    state = (torch.ones(1, dtype=torch.float64), torch.ones(1, 10_000, dtype=torch.float64))
    solution = integrate_each(both, state, 0.0, 1.0, 1e-6, (doubles(30.0),))
    alone = integrate_each(decay, (state[0],), 0.0, 1.0, 1e-6, (doubles(30.0),))
    assert torch.equal(solution.state[0], alone.state[0]) and solution.calls == alone.calls
    assert torch.equal(solution.state[1], state[1]), "and the start is left as it was"


def test_never_outside_the_interval_and_exactly_at_its_end():
    names = torch.arange(5)
    for start, end in ((1.0, 1e-5), (1e-5, 1.0), (0.1, 0.7)):
        logged = Logged(decay)
        rates = torch.cat([doubles(0.0), RATES[:4] / 3])
        integrate_each(logged, (torch.full((5, 2), 1e-9, dtype=torch.float64),), start, end, 1e-4, (rates, names))
        for times in logged.times.values():
            assert min(times) == min(start, end) and max(times) == max(start, end)
            assert times[-1] == end


def test_rounding_does_not_lead_out_of_the_interval():
    """A state that hardly changes is probed at the other end, and 0.7 - (0.7 - 0.1) is below 0.1."""
    logged = Logged(decay)
    state = torch.ones(1, 2, dtype=torch.float64)
    integrate_each(logged, (state,), 0.7, 0.1, 1e-4, (doubles(1e-6), torch.arange(1)))
    assert min(logged.times[0]) == 0.1 == logged.times[0][1]


def test_single_precision():
    solution = integrate_each(decay, (torch.ones(4, 2),), 0.0, 1.0, 1e-4, (RATES[:4].float(),))
    assert solution.state[0].dtype == torch.float32
    torch.testing.assert_close(solution.state[0][:, 0], torch.exp(-RATES[:4]).float(), rtol=0, atol=1e-3)


def test_step_sizes_follow_the_error():
    size, ratio = doubles(1.0, 1.0, 1.0, 1.0, 1.0), doubles(0.0, 1.0, 32.0, 1e9, 1 / 32)
    grown = next_step(size, ratio, torch.zeros(5, dtype=torch.bool))
    torch.testing.assert_close(grown, doubles(10, 0.9, 0.45, 0.2, 1.8), rtol=2 ** (1 / 16) - 1, atol=0)
    assert torch.equal(grown, next_step(size, ratio * (1 + 1e-4), torch.zeros(5, dtype=torch.bool)))
    assert next_step(size, ratio, torch.ones(5, dtype=torch.bool)).max() == 1, "no growth after a refusal"


def test_error_is_relative_to_the_larger_end_of_a_step():
    error, before, after = doubles(0.2, 0.4)[:, None], doubles(0.0, 9.0)[:, None], doubles(1.0, 3.0)[:, None]
    torch.testing.assert_close(error_ratio((error,), (before,), (after,), 0.1), doubles(1.0, 0.4))
    several = (error, error.expand(2, 7) / 10), (before, before), (after, after)
    torch.testing.assert_close(error_ratio(*several, 0.1), doubles(1.0, 0.4))
