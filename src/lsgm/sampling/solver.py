"""Adaptive integration of an ODE with one error norm for the batch: torchdiffeq's Dormand-Prince 5(4).

For comparison with what the authors measured, whose solver has such a norm, and for right-hand sides that are noisy,
whose noise a norm over many samples averages out; `lsgm.sampling.per_sample` is the solver for everything else.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .dormand_prince import State
from .errors import SolverError

RightHandSide = Callable[[Tensor, State], State]

MAX_CALLS = 100_000  # a solve that needs more would not end in any useful time


class _Counted:
    """A right-hand side that counts its calls and refuses non-finite derivatives."""

    def __init__(self, rhs: RightHandSide, start: float, end: float) -> None:
        self.rhs = rhs
        self.low, self.high = min(start, end), max(start, end)
        self.calls = 0
        self.time = start

    def __call__(self, time: Tensor, state: State) -> State:
        # The solver's probe for its first step may leave the interval when the derivative is tiny; the process is not
        # defined there (negative variances). Proper steps never do.
        time = time.clamp(self.low, self.high)
        self.calls += 1
        self.time = float(time)
        if self.calls > MAX_CALLS:
            raise SolverError(self.time, f"more than {MAX_CALLS} evaluations")
        derivative = self.rhs(time, state)
        if not all(bool(torch.isfinite(part).all()) for part in derivative):
            finite = all(bool(torch.isfinite(part).all()) for part in state)
            raise SolverError(self.time, f"non-finite {'derivative' if finite else 'state'}")
        return derivative


def integrate(rhs: RightHandSide, state: State, start: float, end: float, tol: float) -> tuple[State, int]:
    """Integrate d(state)/dt = rhs(t, state) from `start` to `end`, in either direction.

    The error of a step is the root mean square over a part of the state (the whole batch together), and the largest
    over the parts; rtol = atol = tol.

    Args:
        rhs: called with scalar t and the state; gives the derivative of each part.
        state: tensors of one floating dtype, which is that of the solver.
        start: time at which `state` is given.
        end: time at which the state is wanted.
        tol: relative and absolute tolerance.

    Returns:
        The state at `end`, and the number of calls of `rhs`: 2, and 6 per attempted step.

    Raises:
        SolverError: the step underflows, there are too many evaluations, or a value is not finite.

    Source: Dormand and Prince (1980); method 9 and 10 (RK45).
    """
    from torchdiffeq import odeint

    counted = _Counted(rhs, start, end)
    times = torch.tensor([start, end], dtype=state[0].dtype, device=state[0].device)
    # A grid point at the end: without it the solver steps past the end and interpolates.
    options = {"dtype": times.dtype, "step_t": times[1:].clone()}
    try:
        path = odeint(counted, state, times, rtol=tol, atol=tol, method="dopri5", options=options)
    except AssertionError as error:  # torchdiffeq's way to say that the step underflows
        raise SolverError(counted.time, str(error).split(" `y`")[0]) from error
    final = tuple(part[-1] for part in path)
    if not all(bool(torch.isfinite(part).all()) for part in final):
        raise SolverError(end, "non-finite state")
    return final, counted.calls
