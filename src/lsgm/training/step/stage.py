"""What the training loop needs to know of a stage; pretraining and joint training each give one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import nn

from lsgm.algorithms import StepGradients

from ..noise import StepInputs
from .branch import Branch
from .precision import Precision
from .running_statistics import RunningStatistics


class Stateful(Protocol):
    """Anything with state that a checkpoint must hold."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return the state: tensors, numbers, strings, lists and dicts."""

    def load_state_dict(self, state: Mapping[str, Any]) -> object:
        """Take it back."""


class Stage(Protocol):
    """One stage of training.

    Attributes:
        name: `pretrain` or `train`.
        seed: of the run.
        device: where it runs.
        has_dropout: whether the networks draw from torch's global generator.
        branches: the networks that are updated, by name (`vae`, `prior`).
        precision: type of the networks' arithmetic.
        statistics: running statistics that a forward pass moves.
        networks: those that are trained or read by it, by name.
        parts: everything with state, by name, the networks and optimisers included.
    """

    name: str
    seed: int
    device: torch.device
    has_dropout: bool
    branches: dict[str, Branch]
    precision: Precision
    statistics: RunningStatistics
    networks: dict[str, nn.Module]
    parts: dict[str, Stateful]

    def kl_coeff(self, step: int) -> float:
        """KL coefficient of a step."""

    def inputs(self, step: int) -> StepInputs:
        """Batch and random numbers of a step, on the device."""

    def gradients(self, inputs: StepInputs, step: int) -> StepGradients:
        """Gradients for every branch, all at the present parameters."""

    def after_update(self) -> None:
        """Called after an update that was not skipped."""
