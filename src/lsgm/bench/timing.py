"""Interleaved timing of two or more versions of the same work, and what becomes of it: one line of a table.

Absolute seconds belong to a machine and its load; the ratio of two neighbours in one round does much less. So versions
take turns (A B A B ...), and a ratio is the median over rounds of the quotient within a round, with the least and the
largest beside it. `torch.utils.benchmark.Timer` cannot take turns: it calls a version twice untimed each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field

MEGA, GIGA = 1e6, 1e9
CHANNELS = 256
# Batch and side of the roofline's convolution: not too long for two cores, enough for thousands.
SMALL, LARGE = (16, 16), (128, 64)

Clock = Callable[[], float]
Work = Callable[[], object]


def interleaved(
    versions: Mapping[str, Work],
    rounds: int,
    device: torch.device,
    warm_up: int = 1,
    clock: Clock = time.perf_counter,
) -> dict[str, list[float]]:
    """Time versions in the order A B C A B C ...; the seconds of each, round by round.

    Args:
        versions: what is called, by name.
        rounds: that count.
        device: waited for before and after each call.
        warm_up: rounds before, which do not count: caches, autotuning, memory pools.
        clock: seconds that only grow.
    """

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return clock()

    seconds: dict[str, list[float]] = {name: [] for name in versions}
    for turn in range(-warm_up, rounds):
        for name, work in versions.items():
            started = now()
            work()
            taken = now() - started
            if turn >= 0:
                seconds[name].append(taken)
    return seconds


def ratios(own: Sequence[float], others: Sequence[float]) -> list[float]:
    """Times as multiples of those of another version in the same rounds."""
    return [left / right for left, right in zip(own, others, strict=True)]


def precisions(device: torch.device) -> tuple[str, ...]:
    """Types of arithmetic that are measured on a device, the fastest last."""
    return ("float32", "bfloat16") if device.type == "cuda" else ("float32",)


def convolution(device: torch.device, precision: str) -> tuple[Work, float]:
    """A 3x3 convolution of 256 channels, forward, the roofline of training steps; and its operations."""
    batch, side = SMALL if device.type == "cpu" else LARGE
    # The layout that tensor cores want.
    layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
    kind = {"device": device, "dtype": getattr(torch, precision)}
    x = torch.randn(batch, CHANNELS, side, side, **kind).to(memory_format=layout)
    weight = 0.02 * torch.randn(CHANNELS, CHANNELS, 3, 3, **kind).to(memory_format=layout)
    return lambda: F.conv2d(x, weight, padding=1), 2.0 * batch * side * side * CHANNELS * CHANNELS * 9


class Row(BaseModel):
    """What was measured in one case: a line of a table, whose columns have these titles. None: it is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    case: str
    seconds: float | None = Field(None, title="median")
    seconds_min: float | None = Field(None, title="least")
    ratio: float | None = Field(None, title="ratio", description="of times, median over the rounds")
    ratio_range: tuple[float, float] | None = Field(None, description="the least and the largest of these quotients")
    gflop: float | None = Field(None, title="GFLOP", description="of the networks in one call, 1e9 operations")
    gflops: float | None = Field(None, title="GFLOP/s")
    ratio_to_roofline: float | None = Field(None, title="x roofline")
    memory_mb: float | None = Field(None, title="peak MB", description="1e6 bytes")
    evaluations: float | None = Field(None, title="evaluations", description="of the network, in one call")
    error: float | None = Field(None, title="error")
    bias: float | None = Field(None, title="mean error")
    rounds: int | None = Field(None, title="rounds")
    note: str | None = Field(None, title="note")


def timed_row(
    case: str,
    seconds: Sequence[float],
    reference: Sequence[float],
    roofline: tuple[Sequence[float], float] | None = None,
    flop: float | None = None,
    **values: float | None,
) -> Row:
    """A row with all that follows from its times.

    Args:
        case: what was measured.
        seconds: of each round.
        reference: of what it is compared with, in the same rounds.
        roofline: seconds of the convolution in the same rounds, and operations of one of its calls.
        flop: operations of one call; given if the roofline is.
        values: further fields of the row.
    """
    if roofline is not None:
        values["ratio_to_roofline"] = median(ratios(seconds, roofline[0])) * roofline[1] / flop
        values |= {"gflop": flop / GIGA, "gflops": flop / GIGA / median(seconds)}
    found = ratios(seconds, reference)
    values |= {"ratio": median(found), "ratio_range": (min(found), max(found)), "rounds": len(found)}
    return Row(case=case, seconds=median(seconds), seconds_min=min(seconds), **values)
