"""Islands of full precision inside mixed-precision regions (method.md: Optimisers, schedules, averages)."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(like: Tensor) -> AbstractContextManager:
    """Return a context in which operations on `like`'s device run in the dtype of their inputs, autocast or not."""
    # There is no autocast on the meta device, where nothing is computed.
    return nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)


def at_least_float32(tensor: Tensor) -> Tensor:
    """Return `tensor` as float32, or unchanged if it is float64."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
