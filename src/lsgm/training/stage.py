"""What the training loop needs of a stage, and what both stages have: precision, running statistics of batch norms."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from lsgm.algorithms import StepGradients
from lsgm.training.noise import StepInputs
from lsgm.training.optim import ParamGroup

FIRST_SCALE = 2.0**10
LARGEST_SCALE = 2.0**24
GROWTH_INTERVAL = 2000


class Precision:
    """Type of the networks' arithmetic on one device, with a dynamic loss scale for float16.

    The loss is multiplied by `scale` before a gradient is taken and the gradient divided by it afterwards. A gradient
    that is not finite halves the scale; 2000 finite ones in a row double it.

    Args:
        setting: `auto` means bfloat16 on a CUDA device that has it, else float32.
        device: where the networks are.
    """

    def __init__(self, setting: Literal["auto", "float32", "bfloat16", "float16"], device: torch.device) -> None:
        self._device = device
        if setting == "auto":
            setting = "bfloat16" if _has_bfloat16(device) else "float32"
        self.name = setting
        self.dtype: torch.dtype = getattr(torch, setting)
        self.scale = FIRST_SCALE if self.dtype == torch.float16 else 1.0
        self._finite_in_a_row = 0

    @property
    def reduced(self) -> torch.dtype | None:
        """The type below float32 that the networks run in, if they do."""
        return None if self.dtype == torch.float32 else self.dtype

    def autocast(self) -> AbstractContextManager:
        """Return the context for forward passes."""
        return nullcontext() if self.reduced is None else torch.autocast(self._device.type, self.reduced)

    def scaled(self, loss: Tensor) -> Tensor:
        """Return the loss to take gradients of."""
        return loss if self.scale == 1.0 else loss * self.scale

    def record(self, finite: bool) -> None:
        """Adapt the scale to whether the gradients of a step were finite."""
        if self.dtype != torch.float16:
            return
        if not finite:
            self.scale = max(self.scale / 2, 1.0)
            self._finite_in_a_row = 0
            return
        self._finite_in_a_row += 1
        if self._finite_in_a_row == GROWTH_INTERVAL:
            self.scale = min(self.scale * 2, LARGEST_SCALE)
            self._finite_in_a_row = 0

    def state_dict(self) -> dict[str, float | int]:
        """The scale and its counter, for a checkpoint."""
        return {"scale": self.scale, "finite_in_a_row": self._finite_in_a_row}

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        """Take the scale back from a checkpoint; without effect unless the type is float16."""
        if self.dtype == torch.float16:
            self.scale, self._finite_in_a_row = float(state["scale"]), int(state["finite_in_a_row"])


def _has_bfloat16(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


class RunningStatistics:
    """Copy of the running means and variances of all batch norms in training mode: the others' do not move.

    Args:
        network: with each part in the mode that it will have.
    """

    def __init__(self, network: nn.Module) -> None:
        self._buffers = [
            buffer
            for module in network.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats and module.training
            for buffer in (module.running_mean, module.running_var)
        ]
        self._copies = [buffer.clone() for buffer in self._buffers]

    @torch.no_grad()
    def total(self) -> Tensor | None:
        """A 0-d tensor that is finite if and only if all values are, up to overflow; None if there are no values."""
        return torch.stack(torch._foreach_norm(self._buffers)).sum() if self._buffers else None

    @torch.no_grad()
    def keep(self) -> None:
        """Take the present values."""
        if self._buffers:
            torch._foreach_copy_(self._copies, self._buffers)

    @torch.no_grad()
    def restore(self) -> None:
        """Put the values kept last back."""
        if self._buffers:
            torch._foreach_copy_(self._buffers, self._copies)


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
    branches: dict[str, ParamGroup]
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
