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
        inputs = self._make(step) if future is None else future.result()
        self._step, self._future = step + 1, self._pool.submit(self._make, step + 1)
        return inputs

    def close(self) -> None:
        """End the thread; what it is making is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
