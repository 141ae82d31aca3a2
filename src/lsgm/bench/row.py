"""One measurement: a line of a benchmark's table and an entry of the JSON file."""

from __future__ import annotations

from dataclasses import dataclass

from .timing import Timing

MEGA, GIGA = 1e6, 1e9


@dataclass(frozen=True)
class Row:
    """What was measured in one case. A quantity that the case has not is None.

    Attributes:
        name: of the benchmark.
        case: what was measured.
        seconds: median over the rounds.
        seconds_min: least.
        repeats: rounds.
        ratio_to_plain: time over that of the version it is compared with, median over rounds; the benchmark's heading
            says which.
        ratio_to_floor: time over what the same arithmetic takes at the rate of the floor, measured in the same rounds.
        gflop: arithmetic of the networks in one call, 1e9 operations.
        gflops: `gflop` over the median.
        memory_mb: peak, 1e6 bytes; of the process on the CPU, of tensors on a CUDA device.
        evaluations: of the network, in one call.
        error: the benchmark's heading says of what.
        bias: mean error.
        rate: amount per second; the benchmark's heading says of what.
        note: what else a reader must know, or why nothing was measured.
    """

    name: str
    case: str
    seconds: float | None = None
    seconds_min: float | None = None
    repeats: int = 0
    ratio_to_plain: float | None = None
    ratio_to_floor: float | None = None
    gflop: float | None = None
    gflops: float | None = None
    memory_mb: float | None = None
    evaluations: float | None = None
    error: float | None = None
    bias: float | None = None
    rate: float | None = None
    note: str = ""


def timed_row(
    name: str,
    case: str,
    timing: Timing,
    plain: Timing | None = None,
    floor: tuple[Timing, float] | None = None,
    flop: float | None = None,
    **values: float | str | None,
) -> Row:
    """A row with all that follows from its times.

    Args:
        name: of the benchmark.
        case: what was measured.
        timing: of it.
        plain: of what it is compared with, in the same rounds.
        floor: times of the floor in the same rounds, and operations of one of its calls.
        flop: operations of one call.
        values: further attributes of the row.
    """
    ratio = None
    if floor is not None and flop:
        ratio = timing.ratio(floor[0]) * floor[1] / flop
    return Row(
        name,
        case,
        seconds=timing.median,
        seconds_min=timing.minimum,
        repeats=len(timing.seconds),
        ratio_to_plain=None if plain is None else timing.ratio(plain),
        ratio_to_floor=ratio,
        gflop=flop and flop / GIGA,
        gflops=flop and flop / GIGA / timing.median,
        **values,
    )
