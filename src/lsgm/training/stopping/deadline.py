"""The end of a run's time slot: when to stop so that what was done is on the disk before it.

How long the last step and the checkpoint will take is measured in the run itself, since both depend on the model, the
machine and its file system by orders of magnitude.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
