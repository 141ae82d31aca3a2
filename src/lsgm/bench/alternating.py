"""The training loop and a bare one, block by block in turns, in one process."""

from __future__ import annotations

import time
from pathlib import Path

from lsgm.config import LoopConfig
from lsgm.training.checkpoint import CheckpointStore
from lsgm.training.logging import Record
from lsgm.training.loop import Loop
from lsgm.training.noise import Prefetcher
from lsgm.training.stage import Stage

from .steps import bare_step
from .timing import Clock, Timing, Work, seconds_of, wait_for


class Alternating:
    """Reporter of a training loop that lets other work be done after each block of steps, and times both.

    Args:
        stage: of the loop.
        block: steps.
        other: the other work.
        clock: seconds that only grow.

    Attributes:
        own: seconds of each block of the loop; the first, with its set-up, is left out.
        others: seconds of the work after each of these.
    """

    def __init__(self, stage: Stage, block: int, other: Work, clock: Clock = time.perf_counter) -> None:
        self._device, self._block, self._other, self._clock = stage.device, block, other, clock
        self.own: list[float] = []
        self.others: list[float] = []

    def start(self, stage: str, done: int, total: int) -> None:
        """Begin the first block."""
        self._begin()

    def advance(self, step: int, record: Record | None) -> None:
        """At the end of a block, do the other work."""
        if step % self._block:
            return
        wait_for(self._device)
        own = self._clock() - self._started
        other = seconds_of(self._other, self._device, self._clock)
        if step > self._block:
            self.own.append(own)
            self.others.append(other)
        self._begin()

    def note(self, text: str) -> None:
        """Nothing: nobody reads it."""

    def close(self) -> None:
        """Nothing."""

    def _begin(self) -> None:
        wait_for(self._device)
        self._started = self._clock()


def loop_and_bare_loop(
    stage: Stage, bare: Stage, config: LoopConfig, block: int, folder: Path
) -> tuple[Timing, Timing]:
    """Seconds of a step in the training loop, and in one that only takes gradients, updates and averages.

    Args:
        stage: what the loop trains; its batches have an epoch of `block` steps.
        bare: the same once more, for the other.
        config: of the loop; `epochs` blocks, of which the first does not count.
        block: steps.
        folder: for the curve and the one checkpoint of the start.
    """
    inputs, steps = bare.inputs, iter(range(config.epochs * block))
    prefetcher = Prefetcher(inputs) if bare.device.type == "cuda" else None

    def take_block() -> None:
        for _ in range(block):
            step = next(steps)
            bare_step(bare, (prefetcher or inputs)(step), step)

    alternating = Alternating(stage, block, take_block)
    try:
        store = CheckpointStore(folder, {}, alternating.note)
        Loop(stage, config, block, folder, store, alternating).run()
    finally:
        if prefetcher is not None:
            prefetcher.close()
    return Timing(tuple(alternating.own)).per(block), Timing(tuple(alternating.others)).per(block)
