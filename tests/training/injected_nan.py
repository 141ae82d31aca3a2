"""Faults for training runs: batches and weights that are not numbers, at steps and under conditions of choice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lsgm.training.joint import JointStage
from lsgm.training.noise import StepInputs
from lsgm.training.pretrain import PretrainStage
from lsgm.training.stage import Stage

STAGES = (PretrainStage, JointStage)
Condition = Callable[[Stage, int], bool]


def break_images(patch: pytest.MonkeyPatch, condition: Condition) -> None:
    """Let a step's images be NaN where the condition holds."""
    for stage in STAGES:
        patch.setattr(stage, "inputs", _broken(stage.inputs, condition))


def _broken(make: Callable[[Stage, int], StepInputs], condition: Condition) -> Callable[[Stage, int], StepInputs]:
    def inputs(self: Stage, step: int) -> StepInputs:
        given = make(self, step)
        return StepInputs(given.x * float("nan"), given.noise) if condition(self, step) else given

    return inputs


def factor(stage: Stage) -> float:
    """What the learning rates are multiplied by."""
    return next(iter(stage.branches.values())).factor


def until_gentle(steps: range, largest: float = 0.9) -> Condition:
    """Trouble in some steps, until the learning rate is lowered enough."""
    return lambda stage, step: step in steps and factor(stage) > largest
