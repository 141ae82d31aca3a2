"""Adaptive integration of an ODE with error control per sample (Dormand-Prince 5(4)), on the device of the state.

Every sample has its own time, step and error: its path and its cost are what they would be if it were alone. The
right-hand side is called once per stage, for all samples that are under way.

The host looks at the device once per step, that is once in six evaluations: at one small array that says who has
arrived and who has failed. Arrived samples are then left out of the batch. On the CPU each of them saves its share of
the work; elsewhere a batch of another size has its price (plans of convolutions, memory), so that they stay until they
are a quarter of the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .carried import ARRIVED, FIRST_CALLS, UNDERFLOW, Carried, Problem, advance, begin
from .dormand_prince import CALLS_PER_STEP, State
from .errors import SolverError
from .solver import MAX_CALLS
from .watched import BAD_DERIVATIVE, BAD_STATE, FINE

IDLE_SHARE = 0.25
CAUSES = {BAD_DERIVATIVE: "non-finite derivative", BAD_STATE: "non-finite state", UNDERFLOW: "underflow of the step"}


@dataclass(frozen=True)
class EachSolution:
    """End of a solve.

    Attributes:
        state: at the end time, parts (B, ...).
        evaluations: of the right-hand side for each sample, (B,), integers on the device: 2, and 6 per attempted step.
        calls: of the right-hand side, each for all samples that were under way; the largest of `evaluations`.
    """

    state: State
    evaluations: Tensor
    calls: int


@torch.no_grad()
def integrate_each(
    rhs: Callable[..., State], state: State, start: float, end: float, tol: float, fixed: State = ()
) -> EachSolution:
    """Integrate d(state)/dt = rhs(t, state) from `start` to `end`, in either direction, each sample by itself.

    The error of a sample's step is the root mean square over its own entries of a part of the state, the largest over
    the parts; rtol = atol = tol.

    Args:
        rhs: called with times (n,), parts of the state (n, ...) and those of `fixed`, for the n samples that are under
            way, in the order of the batch; gives the derivative of each part. A sample's must not depend on the others.
        state: parts (B, ...) of one floating dtype, which is that of the solver.
        start: time at which `state` is given.
        end: time at which the state is wanted, not `start`.
        tol: relative and absolute tolerance.
        fixed: tensors (B, ...) that `rhs` needs for each sample beside its state.

    Raises:
        SolverError: a step underflows, there are too many evaluations, or a value is not finite; it says the time and
            which sample.

    Source: Dormand and Prince (1980); Hairer, Nørsett and Wanner (1993) section II.4.
    """
    problem = Problem(rhs, start, end, tol)
    carried, calls = begin(problem, state, fixed), FIRST_CALLS
    reached, evaluations = tuple(part.clone() for part in state), carried.evaluations.clone()
    while True:
        status = carried.status.tolist()
        _refuse_failures(carried, status, calls)
        under_way = [place for place, code in enumerate(status) if code != ARRIVED]
        if _is_worth_dropping(len(status) - len(under_way), len(status), carried.time.device):
            for whole, part in zip((*reached, evaluations), (*carried.state, carried.evaluations), strict=True):
                whole.index_copy_(0, carried.rows, part)
            if not under_way:
                return EachSolution(reached, evaluations, calls)
            carried = carried.only(torch.tensor(under_way, device=carried.time.device))
        carried = advance(problem, carried)
        calls += CALLS_PER_STEP


def _refuse_failures(carried: Carried, status: list[int], calls: int) -> None:
    """Raise for the first sample that has failed, or that is under way when there are too many calls."""
    spent = calls + CALLS_PER_STEP > MAX_CALLS
    for place, code in enumerate(status):
        if code in CAUSES or (spent and code == FINE):
            cause = CAUSES.get(code, f"more than {MAX_CALLS} evaluations")
            raise SolverError(float(carried.where[place]), cause, int(carried.rows[place]))


def _is_worth_dropping(arrived: int, carried: int, device: torch.device) -> bool:
    share = 0.0 if device.type == "cpu" else IDLE_SHARE
    return arrived > share * carried or arrived == carried
