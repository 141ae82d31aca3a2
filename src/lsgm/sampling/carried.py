"""The samples that an adaptive solve carries along, each with its own time and step, and one attempted step of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .dormand_prince import CALLS_PER_STEP, State, take_step, widened
from .step_control import error_ratio, first_probe, first_step, next_step
from .watched import BAD_STATE, FINE, Watched

UNDERFLOW, ARRIVED = 3, 4
"""Beside the faults of `watched`: the step is too small to change the time, and the end is reached."""
FIRST_CALLS = 2
"""The derivative at the start, and the one that tells the size of the first step."""


@dataclass(frozen=True)
class Problem:
    """An ODE, from where to where it is solved, and how well; arguments as of `integrate_each`."""

    rhs: Callable[..., State]
    start: float
    end: float
    tol: float

    @property
    def direction(self) -> float:
        """Sign of a step."""
        return 1.0 if self.end > self.start else -1.0

    def watched(self, time: Tensor, fixed: State) -> Watched:
        """The right-hand side for samples at `time` (n,)."""
        bounds = min(self.start, self.end), max(self.start, self.end)
        return Watched(lambda at, state: self.rhs(at, state, *fixed), *bounds, time)


@dataclass(frozen=True)
class Carried:
    """Samples, n of them.

    Attributes:
        rows: their places in the whole batch, (n,).
        state: parts (n, ...), at `time` (n,).
        derivative: there.
        size: of the next step, (n,), positive.
        refused: whether the last step was refused, (n,).
        evaluations: so far, (n,).
        fixed: what the right-hand side needs of each sample beside its state, parts (n, ...).
        status: FINE while under way, ARRIVED, or what failed, (n,).
        where: time of the failure, (n,).
    """

    rows: Tensor
    state: State
    time: Tensor
    derivative: State
    size: Tensor
    refused: Tensor
    evaluations: Tensor
    fixed: State
    status: Tensor
    where: Tensor

    def only(self, places: Tensor) -> Carried:
        """The samples at these places of n."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return Carried(
            **{
                name: tuple(part[places] for part in value) if isinstance(value, tuple) else value[places]
                for name, value in values.items()
            }
        )


def begin(problem: Problem, state: State, fixed: State) -> Carried:
    """All samples at the start, with the size of their first step."""
    count, like = len(state[0]), state[0]
    rows = torch.arange(count, device=like.device)
    time = torch.full((count,), problem.start, dtype=like.dtype, device=like.device)
    rhs = problem.watched(time, fixed)
    derivative = rhs(time, state)
    probe = first_probe(state, derivative, abs(problem.end - problem.start), problem.tol)
    shift = problem.direction * probe
    moved = tuple(part + widened(shift, part) * slope for part, slope in zip(state, derivative, strict=True))
    size = first_step(state, derivative, rhs(time + shift, moved), probe, problem.tol)
    refused = torch.zeros_like(rows, dtype=torch.bool)
    return Carried(
        rows, state, time, derivative, size, refused, torch.full_like(rows, FIRST_CALLS), fixed, rhs.fault, rhs.time
    )


def advance(problem: Problem, carried: Carried) -> Carried:
    """Attempt one step with every sample that is under way; the others are evaluated with it and stay as they are."""
    under_way = carried.status == FINE
    remaining = (problem.end - carried.time).abs()
    is_last = carried.size >= remaining
    size = torch.where(is_last, remaining, carried.size)
    shift = problem.direction * size
    end = torch.where(is_last, problem.end, carried.time + shift)
    rhs = problem.watched(carried.time, carried.fixed)
    step = take_step(rhs, carried.time, end, shift, carried.state, carried.derivative)
    ratio = error_ratio(step.error, carried.state, step.state, problem.tol)
    fault = torch.where((rhs.fault == FINE) & ~torch.isfinite(ratio), BAD_STATE, rhs.fault)
    accepted = ratio <= 1  # by those that have arrived too, which take steps of size 0; a fault ends the solve
    time = torch.where(accepted, end, carried.time)
    size = next_step(size, ratio, carried.refused)
    stuck = (fault == FINE) & (time + problem.direction * size == time)
    status = torch.where(stuck, UNDERFLOW, fault)
    status = torch.where(time == problem.end, ARRIVED, status)
    return Carried(
        carried.rows,
        _chosen(accepted, step.state, carried.state),
        time,
        _chosen(accepted, step.derivative, carried.derivative),
        size,
        ~accepted,
        carried.evaluations + CALLS_PER_STEP * under_way,
        carried.fixed,
        status,
        torch.where(rhs.fault == FINE, time, rhs.time),
    )


def _chosen(where: Tensor, one: State, other: State) -> State:
    return tuple(torch.where(widened(where, a), a, b) for a, b in zip(one, other, strict=True))
