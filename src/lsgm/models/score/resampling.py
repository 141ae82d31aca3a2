"""Doubling and halving of the resolution (method.md: Score network).

With FIR filtering each axis is filtered by [1, 3, 3, 1], zeros outside:
    up    y[2i] = x[i-1]/4 + 3x[i]/4,   y[2i+1] = 3x[i]/4 + x[i+1]/4
    down  y[i] = (x[2i-1] + 3x[2i] + 3x[2i+1] + x[2i+2]) / 8
Both are one depth-wise (transposed) convolution with a fixed kernel. Without: nearest neighbour and 2x2 mean.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Direction = Literal["up", "down"]

TAPS = (1.0, 3.0, 3.0, 1.0)


def fir_kernel(gain: float) -> Tensor:
    """Return the filter [1, 3, 3, 1] along both axes, (1, 1, 4, 4), with entries that sum to `gain`."""
    share = gain / sum(TAPS) ** 2
    # Multiplied here: arithmetic on the meta device, where models are built, would load torch's compiler.
    return torch.tensor([[[[row * column * share for column in TAPS] for row in TAPS]]])


class FirFilter(nn.Module):
    """A layer that filters every channel by `fir_kernel`.

    Args:
        gain: sum of the kernel's entries.
    """

    kernel: Tensor

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain
        # Not in the state dict: it is a constant, and its entries are exact in every floating dtype. But memory from
        # `to_empty` holds anything, and a meta kernel stays one, so loading weights builds it again.
        self.register_buffer("kernel", fir_kernel(gain), persistent=False)
        self.register_load_state_dict_post_hook(_restore_kernel)

    def kernel_for(self, x: Tensor) -> Tensor:
        """The kernel for each channel of (B, C, H, W), (C, 1, 4, 4), in its dtype."""
        return self.kernel.to(x.dtype).expand(x.shape[1], 1, -1, -1)


def _restore_kernel(layer: FirFilter, _incompatible_keys: object) -> None:
    found = layer.kernel
    layer.kernel = fir_kernel(layer.gain).to("cpu" if found.is_meta else found.device, found.dtype)


class FirResample(FirFilter):
    """Filtered resampling by a factor of two.

    Args:
        direction: `up` or `down`.
    """

    def __init__(self, direction: Direction):
        super().__init__(4 if direction == "up" else 1)
        self.is_up = direction == "up"

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, 2H, 2W) or (B, C, H/2, W/2)."""
        convolve = F.conv_transpose2d if self.is_up else F.conv2d
        return convolve(x, self.kernel_for(x), stride=2, padding=1, groups=x.shape[1])


class PlainResample(nn.Module):
    """Nearest-neighbour doubling, or halving by the mean of 2x2 pixels.

    Args:
        direction: `up` or `down`.
    """

    def __init__(self, direction: Direction):
        super().__init__()
        self.is_up = direction == "up"

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, 2H, 2W) or (B, C, H/2, W/2)."""
        return F.interpolate(x, scale_factor=2, mode="nearest") if self.is_up else F.avg_pool2d(x, 2)


def build_resample(direction: Direction, fir: bool) -> nn.Module:
    """Build the layer for `direction` (`up` or `down`), filtered if `fir`."""
    return FirResample(direction) if fir else PlainResample(direction)
