"""Mixed precision: which type the networks run in, and the loss scale that float16 needs.

Losses, the SDE and the other islands of float32 are in the models and the objective; here is only the switch.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import Tensor

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
