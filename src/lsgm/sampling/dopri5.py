"""Adaptive integration of an ODE with error control per sample: Dormand-Prince 5(4), on the device of the state.

Every sample has its own time, step and error: its path and its cost are what they would be if it were alone. The
right-hand side is called once per stage, for all samples that are under way. The host looks at the device once per
step: at one small array that says who has arrived and who has failed. Arrived samples are then left out of the batch;
on a GPU, where a batch of another size has its price, only once they are a quarter of it.

Sums are written as elementwise products and sums in a fixed order: a matrix product, or a fused `add(..., alpha=)`,
rounds differently with a sample's place in the batch, and a sample must not depend on that.
Source: Dormand and Prince (1980); Shampine (1986) for the error; Hairer, Nørsett and Wanner (1993) section II.4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from lsgm.sampling.base import SolverError

State = tuple[Tensor, ...]
Derivative = Callable[[Tensor, State], State]

ORDER = 5
CALLS_PER_STEP = 6  # seven stages, of which the first is the last of the step before

NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
DORMAND_PRINCE_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
# The difference to Shampine's solution of order 4, two thirds of that to Dormand and Prince's. torchdiffeq takes it
# too, so that a tolerance means the same in both of our solvers. With Dormand and Prince's own, trained models took up
# to 45 % more evaluations, for errors that fell by less than such steps should give.
ERROR = tuple(2 / 3 * weight for weight in DORMAND_PRINCE_ERROR)

# An I controller with the constants of torchdiffeq and SciPy. Sizes and factors are rounded to eighths of an octave:
# convolutions and sums may round differently at another batch size, and so hardly ever reach a sample's steps.
SAFETY = 0.9
STEPS_PER_OCTAVE = 8
LARGEST_FACTOR = 10.0
SMALLEST_FACTOR = 0.2
SMALLEST_FIRST_STEP = 1e-6
FIRST_CALLS = 2  # the derivative at the start, and the one that decides the size of the first step
MAX_CALLS = 100_000  # a solve that needs more would not end in any useful time
IDLE_SHARE = 0.25

FINE, BAD_DERIVATIVE, BAD_STATE, UNDERFLOW, ARRIVED = range(5)
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

    Args:
        rhs: called with times (n,), parts of the state (n, ...) and those of `fixed`, for the n samples that are under
            way, in the order of the batch; gives the derivative of each part. A sample's must not depend on the others.
        state: parts (B, ...) of one floating dtype, which is that of the solver.
        start: time at which `state` is given.
        end: time at which the state is wanted, not `start`.
        tol: rtol = atol, of the root mean square error over a sample's own entries.
        fixed: tensors (B, ...) that `rhs` needs for each sample beside its state.

    Raises:
        SolverError: a step underflows, there are too many evaluations, or a value is not finite; it says the time and
            which sample.
    """
    problem = InitialValueProblem(rhs, start, end, tol)
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


def _refuse_failures(carried: SolverState, status: list[int], calls: int) -> None:
    """Raise for the first sample that has failed, or that is under way when there are too many calls."""
    spent = calls + CALLS_PER_STEP > MAX_CALLS
    for place, code in enumerate(status):
        if code in CAUSES or (spent and code == FINE):
            cause = CAUSES.get(code, f"more than {MAX_CALLS} evaluations")
            raise SolverError(float(carried.where[place]), cause, int(carried.rows[place]))


def _is_worth_dropping(arrived: int, carried: int, device: torch.device) -> bool:
    share = 0.0 if device.type == "cpu" else IDLE_SHARE
    return arrived > share * carried or arrived == carried


@dataclass(frozen=True)
class Step:
    """State of order 5 at the end of a step, the derivative there, and the error of a solution of order 4."""

    state: State
    derivative: State
    error: State


def take_step(rhs: Derivative, time: Tensor, end: Tensor, size: Tensor, state: State, derivative: State) -> Step:
    """Take one step of RK5(4)7M with every sample, in six calls of `rhs`.

    Args:
        rhs: gives the derivative of each part at times (B,) and states.
        time: of `state`, (B,).
        end: of the step, (B,): `time + size`, or exactly where the solve ends.
        size: of the step, (B,), negative backwards in time; a sample with 0 stays where it is.
        state: parts (B, ...).
        derivative: at `time`.
    """
    stages = [derivative]
    for node, row in zip(NODES, STAGES, strict=True):
        at = end if node == 1.0 else time + node * size
        reached = tuple(
            part + widened(size, part) * _combined(row, parts)
            for part, parts in zip(state, zip(*stages, strict=True), strict=True)
        )
        stages.append(rhs(at, reached))
    error = tuple(widened(size, parts[0]) * _combined(ERROR, parts) for parts in zip(*stages, strict=True))
    return Step(reached, stages[-1], error)


def _combined(weights: Sequence[float], parts: Sequence[Tensor]) -> Tensor:
    """Sum of weight times part."""
    terms = [(weight, part) for weight, part in zip(weights, parts, strict=True) if weight]
    total = terms[0][0] * terms[0][1]
    for weight, part in terms[1:]:
        total = total + weight * part
    return total


def widened(values: Tensor, like: Tensor) -> Tensor:
    """Append axes to values (B,), or to a scalar, so that they broadcast against `like` (B, ...)."""
    return values.reshape(values.shape + (1,) * (like.ndim - values.ndim))


def error_ratio(error: State, before: State, after: State, tol: float) -> Tensor:
    """Error of a step relative to the tolerance, (B,); at most 1 is accepted.

    It is the root mean square over a sample's own entries of a part, the largest over the parts.
    """
    scaled = (
        part / (tol + tol * torch.maximum(old.abs(), new.abs()))
        for part, old, new in zip(error, before, after, strict=True)
    )
    return _largest(map(_rms, scaled))


def next_step(size: Tensor, ratio: Tensor, refused: Tensor) -> Tensor:
    """Size of the step after one of `size` whose error was `ratio`; after a refused step it may not grow. All (B,)."""
    factor = _rounded(SAFETY * ratio ** (-1 / ORDER)).clamp(SMALLEST_FACTOR, LARGEST_FACTOR)
    return size * torch.where(refused, factor.clamp(max=1.0), factor)


def first_probe(state: State, derivative: State, length: float, tol: float) -> Tensor:
    """Length of an Euler step that changes a sample by about a hundredth of itself, (B,), at most `length`."""
    size = _largest(_rms(part / _scale(part, tol)) for part in state)
    speed = _largest(_rms(slope / _scale(part, tol)) for part, slope in zip(state, derivative, strict=True))
    probe = torch.where((size < 1e-5) | (speed < 1e-5), SMALLEST_FIRST_STEP, 0.01 * size / speed)
    return _rounded(probe).clamp(max=length)


def first_step(state: State, derivative: State, probed: State, probe: Tensor, tol: float) -> Tensor:
    """Size of the first step, (B,); `probed` is the derivative at the end of an Euler step of length `probe`."""
    parts = list(zip(state, derivative, probed, strict=True))
    speed = _largest(_rms(slope / _scale(part, tol)) for part, slope, _ in parts)
    change = _largest(_rms((after - slope) / _scale(part, tol)) for part, slope, after in parts) / probe
    fastest = torch.maximum(speed, change)
    size = torch.where(fastest <= 1e-15, (1e-3 * probe).clamp(min=SMALLEST_FIRST_STEP), (0.01 / fastest) ** (1 / ORDER))
    return _rounded(torch.minimum(100 * probe, size))


def _scale(part: Tensor, tol: float) -> Tensor:
    return tol + tol * part.abs()


def _rms(part: Tensor) -> Tensor:
    """Root mean square over each sample's own entries, (B,)."""
    return part.reshape(len(part), -1).square().mean(dim=1).sqrt()


def _largest(values) -> Tensor:
    return torch.stack(list(values)).amax(dim=0)


def _rounded(values: Tensor) -> Tensor:
    """The nearest 2^(k/8). Bits beyond float32's are cut off: `exp2` rounds with a number's place in memory."""
    rounded = torch.exp2(torch.round(torch.log2(values) * STEPS_PER_OCTAVE) / STEPS_PER_OCTAVE)
    return rounded.float().to(values.dtype)


class FiniteCheck:
    """A right-hand side between times `low` and `high` that notes each sample's first non-finite value.

    `fault` (B,) is FINE, BAD_DERIVATIVE or BAD_STATE, and `time` (B,) is where it was found. The device is not asked.
    """

    def __init__(self, rhs: Derivative, low: float, high: float, like: Tensor) -> None:
        self.rhs, self.low, self.high = rhs, low, high
        self.fault = torch.zeros_like(like, dtype=torch.uint8)
        self.time = torch.zeros_like(like)

    def __call__(self, time: Tensor, state: State) -> State:
        """Derivative of each part. Rounding must not lead out of the interval, where a variance may be negative."""
        time = time.clamp(self.low, self.high)
        derivative = self.rhs(time, state)
        kind = torch.where(_finite(state), BAD_DERIVATIVE, BAD_STATE).to(torch.uint8)
        found = ~_finite(derivative) & (self.fault == FINE)
        self.fault = torch.where(found, kind, self.fault)
        self.time = torch.where(found, time, self.time)
        return derivative


def _finite(state: State) -> Tensor:
    """Whether all entries of a sample are finite, (B,)."""
    return torch.stack([torch.isfinite(part).reshape(len(part), -1).all(dim=1) for part in state]).all(dim=0)


@dataclass(frozen=True)
class InitialValueProblem:
    """An ODE, from where to where it is solved, and how well; arguments as of `integrate_each`."""

    rhs: Callable[..., State]
    start: float
    end: float
    tol: float

    @property
    def direction(self) -> float:
        """Sign of a step."""
        return 1.0 if self.end > self.start else -1.0

    def watched(self, time: Tensor, fixed: State) -> FiniteCheck:
        """The right-hand side for samples at `time` (n,)."""
        bounds = min(self.start, self.end), max(self.start, self.end)
        return FiniteCheck(lambda at, state: self.rhs(at, state, *fixed), *bounds, time)


@dataclass(frozen=True)
class SolverState:
    """The n samples of a solve.

    Attributes:
        rows: their places in the whole batch, (n,).
        state: parts (n, ...), at `time` (n,), with `derivative` there.
        size: of the next step, (n,), positive; `refused` (n,) if the last one was.
        evaluations: so far, (n,).
        fixed: what the right-hand side needs of each sample beside its state, parts (n, ...).
        status: FINE while under way, ARRIVED, or what failed, (n,); `where` (n,) is the time of the failure.
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

    def only(self, places: Tensor) -> SolverState:
        """The samples at these places of n."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return SolverState(
            **{
                name: tuple(part[places] for part in value) if isinstance(value, tuple) else value[places]
                for name, value in values.items()
            }
        )


def begin(problem: InitialValueProblem, state: State, fixed: State) -> SolverState:
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
    return SolverState(
        rows, state, time, derivative, size, refused, torch.full_like(rows, FIRST_CALLS), fixed, rhs.fault, rhs.time
    )


def advance(problem: InitialValueProblem, carried: SolverState) -> SolverState:
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
    return SolverState(
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
