"""Schedules: the KL coefficient kl_coeff(step) and the learning rate (method.md: KL annealing and balancing).

Both are plain functions of the step, with no state, so a resumed run needs nothing but its step number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lsgm.config import KlSchedule


def kl_coeff(step: int, total_steps: int, schedule: KlSchedule) -> float:
    """KL coefficient of one step.

    Args:
        step: steps done before this one, from 0.
        total_steps: steps of the whole run; the portions of `schedule` are portions of it.
        schedule: constant portion, then a linear change from start to end.

    Returns:
        kl_coeff, between `schedule.start` and `schedule.end`.

    Source: LSGM App. G; method.md: KL annealing and balancing.
    """
    constant = schedule.const_portion * total_steps
    progress = (step - constant) / (schedule.anneal_portion * total_steps)
    return schedule.start + (schedule.end - schedule.start) * min(max(progress, 0.0), 1.0)


@dataclass(frozen=True)
class LearningRate:
    """Linear warm-up by step, then a cosine by epoch (method.md: Optimisers, schedules, averages).

    The first step has rate 0. Epoch W (the first after W epochs of warm-up) runs at `base`; the cosine is first
    applied in epoch W + 1 and reaches `minimum` in the last one.

    Args:
        base: rate at the end of the warm-up.
        minimum: rate of the last epoch; equal to `base` it makes the rate constant.
        epochs: E, length of the run.
        warmup_epochs: W.
        steps_per_epoch: steps of one epoch.
    """

    base: float
    minimum: float
    epochs: int
    warmup_epochs: int
    steps_per_epoch: int

    def __call__(self, step: int) -> float:
        """Rate of the step that follows `step` completed ones."""
        warmup_steps = self.warmup_epochs * self.steps_per_epoch
        if step < warmup_steps:
            return self.base * step / warmup_steps
        periods = self.epochs - self.warmup_epochs - 1
        elapsed = step // self.steps_per_epoch - self.warmup_epochs
        if elapsed <= 0 or periods <= 0:
            return self.base
        angle = math.pi * min(elapsed, periods) / periods
        return self.minimum + 0.5 * (self.base - self.minimum) * (1 + math.cos(angle))
