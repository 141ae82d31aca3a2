"""Times of versions that compete: measured in turns in one process, so that a busy machine slows all of them alike.

Absolute seconds belong to a machine and its load; the ratio of two neighbours in one round does much less. A ratio here
is therefore the median over rounds of the quotient within a round, and not a quotient of medians.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import torch

Clock = Callable[[], float]
Work = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds of one version, one number per round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """What one call usually takes."""
        return median(self.seconds)

    @property
    def minimum(self) -> float:
        """What it takes when nothing comes between."""
        return min(self.seconds)

    def ratio(self, other: Timing) -> float:
        """Time as a multiple of that of `other`, median over rounds."""
        return median(own / its for own, its in zip(self.seconds, other.seconds, strict=True))

    def per(self, parts: float) -> Timing:
        """The time of one of `parts` equal parts of the work."""
        return Timing(tuple(seconds / parts for seconds in self.seconds))


def in_turns(
    versions: Mapping[str, Work],
    repeats: int,
    device: torch.device,
    warm_up: int = 1,
    clock: Clock = time.perf_counter,
) -> dict[str, Timing]:
    """Time versions in the order A B C A B C ...

    Args:
        versions: what is called, by name.
        repeats: rounds that count.
        device: waited for before and after each call.
        warm_up: rounds before, which do not count: caches, autotuning, memory pools.
        clock: seconds that only grow.

    Returns:
        A timing for every version, rounds in order.
    """
    seconds: dict[str, list[float]] = {name: [] for name in versions}
    for turn in range(-warm_up, repeats):
        for name, work in versions.items():
            taken = seconds_of(work, device, clock)
            if turn >= 0:
                seconds[name].append(taken)
    return {name: Timing(tuple(each)) for name, each in seconds.items()}


def seconds_of(work: Work, device: torch.device, clock: Clock = time.perf_counter) -> float:
    """Seconds of one call, the device's part of it included."""
    wait_for(device)
    started = clock()
    work()
    wait_for(device)
    return clock() - started


def wait_for(device: torch.device) -> None:
    """Wait until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def repeated(work: Work, times: int) -> Work:
    """Several calls as one, for work that is too short for a clock."""

    def all_of_them() -> None:
        for _ in range(times):
            work()

    return all_of_them


def joined(timings: Sequence[Timing]) -> Timing:
    """The same version's rounds from several runs."""
    return Timing(tuple(seconds for timing in timings for seconds in timing.seconds))
