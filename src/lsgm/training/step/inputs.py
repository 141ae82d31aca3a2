"""Batch and random numbers of a step; on a GPU the next step's are made while the present one computes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from torch import Tensor

from .draws import Draws


@dataclass(frozen=True)
class StepInputs:
    """Everything that a step takes from outside.

    Attributes:
        x: (B, C, H, W), images in [-1, 1].
        draws: random numbers.
    """

    x: Tensor
    draws: Draws

    def split(self, parts: int) -> list[StepInputs]:
        """Equal parts, in order; every sample keeps its draws."""
        size = len(self.x) // parts
        slices = [slice(part * size, (part + 1) * size) for part in range(parts)]
        return [StepInputs(self.x[rows], self.draws.rows(rows)) for rows in slices]


class Prefetcher:
    """Makes inputs one step ahead in a thread. They depend on the step alone, so nothing else changes.

    Args:
        make: inputs of a step.
    """

    def __init__(self, make: Callable[[int], StepInputs]) -> None:
        self._make = make
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inputs")
        self._step = -1
        self._future: Future[StepInputs] | None = None

    def __call__(self, step: int) -> StepInputs:
        """Return the inputs of a step, and begin with the next one's."""
        future = self._future if self._step == step else None
        if future is None and self._future is not None:
            # The run has gone back: what is being made is of no use, but must not be made at the same time.
            self._future.exception()
        inputs = self._make(step) if future is None else future.result()
        self._step, self._future = step + 1, self._pool.submit(self._make, step + 1)
        return inputs

    def close(self) -> None:
        """End the thread; what it is making is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
