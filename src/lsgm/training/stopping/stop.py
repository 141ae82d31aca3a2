"""Polite stops: a signal, or the end of the time slot, ends the run after the current step, with a checkpoint."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

from lsgm import distributed
from lsgm.stop_signals import stop_signals

from .deadline import Deadline

# A batch system signals every process of a job, and `srun` and `torchrun` pass theirs on: copies of one request
# arrive within moments, and somebody in a hurry takes longer.
COPIES_SECONDS = 2.0


class Interrupted(Exception):  # noqa: N818 - a stop that was asked for is no error
    """The run was told to stop, and has saved itself; started again it goes on."""


class StopRequest:
    """Context in which stop signals are kept for the loop to see, and what the loop asks.

    A second signal acts at once, as it would without this context, if it is no copy of the first: if it comes more than
    two seconds later, or is the second Ctrl-C of a process that is alone.

    The signals are those of `lsgm.stop_signals`; outside the main thread, where Python does not allow signal handlers,
    none.

    Args:
        deadline: end of the time slot; none without it.
        clock: seconds that only grow.

    Attributes:
        requested: whether a signal has come.
    """

    def __init__(self, deadline: Deadline | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.requested = False
        self.deadline = deadline or Deadline()
        self._clock = clock
        self._first: tuple[int, float] | None = None
        self._previous: dict[int, object] = {}

    @property
    def is_due(self) -> bool:
        """Whether this process wants the run to stop now."""
        return self.requested or self.deadline.is_near

    def __enter__(self) -> Self:
        for number in stop_signals():
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        now = self._clock()
        if self._first is None:
            self.requested, self._first = True, (number, now)
            return
        first, then = self._first
        typed_twice = number == first == signal.SIGINT and distributed.size() == 1
        if typed_twice or now - then > COPIES_SECONDS:
            signal.signal(number, self._previous[number])
            signal.raise_signal(number)
