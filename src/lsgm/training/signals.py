"""When a run ends before its last step: at a signal, or in time before its time budget is spent.

How long the last step and the checkpoint will take is measured in the run itself, since both depend on the model, the
machine and its file system by orders of magnitude.
"""

from __future__ import annotations

import math
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from lsgm import distributed
from lsgm.stop_signals import stop_signals

# A checkpoint may take so many times as long as the longest one in this slot: file systems are shared.
SAFETY = 2.0
# The longest of so many steps counts; the first ones, which also set up the device, are forgotten.
RECENT_STEPS = 20
# What takes milliseconds can take a second where other work comes between.
LEAST_SECONDS = 1.0


class Deadline:
    """When the run will be ended from outside, and whether it is time to save.

    Args:
        at: seconds of `clock`; infinity for a run without an end.
        source: where it comes from, for messages.
        clock: seconds that only grow.
    """

    def __init__(
        self, at: float = math.inf, source: str = "time budget", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.source = source
        self._at = at
        self._clock = clock
        self._steps: deque[float] = deque(maxlen=RECENT_STEPS)
        self._save: float | None = None
        self._saving = 0.0

    @property
    def left(self) -> float:
        """Seconds until then; negative after it."""
        return self._at - self._clock()

    @property
    def margin(self) -> float:
        """Seconds that one more step and a checkpoint may take."""
        return LEAST_SECONDS + SAFETY * (self._save or 0.0) + max(self._steps, default=0.0)

    @property
    def is_near(self) -> bool:
        """Whether there is no time for one more step."""
        return self.left <= self.margin

    @property
    def needs_a_save(self) -> bool:
        """Whether the time of a checkpoint must be known and is not."""
        return self._save is None and math.isfinite(self._at)

    def too_short(self) -> str:
        """What is wrong with a slot that has no time for its first step; empty if it has."""
        if not self.is_near:
            return ""
        return (
            f"{self.source}: {max(self.left, 0.0):.0f} s were left before the first step, which is no time for a step "
            f"and its checkpoint; give it more time"
        )

    def late(self) -> str:
        """End of a line on a run that has saved itself too late; empty if it has not."""
        if self.left >= 0.0:
            return ""
        return f", {-self.left:.0f} s after the end of its time ({self.source}), which should be longer"

    @contextmanager
    def step(self) -> Iterator[None]:
        """Measure a step; checkpoints written in it are left out."""
        started, self._saving = self._clock(), 0.0
        yield
        self._steps.append(self._clock() - started - self._saving)

    @contextmanager
    def save(self) -> Iterator[None]:
        """Measure the writing of a checkpoint."""
        started = self._clock()
        yield
        seconds = self._clock() - started
        self._saving += seconds
        self._save = max(self._save or 0.0, seconds)


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
