"""Weight-normalised convolution with the norm of each output channel learned in log space (method.md: NVAE backbone).

For regularisers: every convolution of the VAE is an `nn.Conv2d`. Those that are also `WNConv2d` act with the weight
that `normalised_weight()` gives, not with `weight`; the one used in the last training forward is `last_weight`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPS = 1e-5
INIT_EPS = 1e-2


class WNConv2d(nn.Conv2d):
    """Convolution with effective weight e^s W / (|W| + 1e-5), norm and s per output channel, "same" zero padding.

    Args:
        in_channels: input channels.
        out_channels: output channels.
        kernel_size: odd side of the kernel.
        stride: 1, or 2 to halve the resolution.
        groups: as in `nn.Conv2d`.
        bias: whether there is one.
        mask: builds zeros and ones of the weight's shape, which multiply W before its norm is taken; None for no mask.

    Attributes:
        log_norm: s, (out_channels, 1, 1, 1), starts at ln(|W| + 1e-2).
        last_weight: effective weight of the last forward in training mode, part of that forward's autograd graph, so
            that a regulariser need not compute it again; None before, and after a forward in evaluation mode or
            without gradient.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        groups: int = 1,
        bias: bool = True,
        mask: Callable[[], Tensor] | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, groups=groups, bias=bias
        )
        # Determined by the architecture, hence not saved with the weights; but memory from `to_empty` holds anything,
        # and a meta mask stays one, so loading weights builds it again.
        self._build_mask = mask
        self.register_buffer("mask", None if mask is None else mask(), persistent=False)
        self.register_load_state_dict_post_hook(_restore_mask)
        with torch.no_grad():
            self.log_norm = nn.Parameter(self._initial_log_norm())
        self.last_weight: Tensor | None = None

    def _initial_log_norm(self) -> Tensor:
        if self.weight.is_meta:
            # Nothing to compute, and torch's shape inference of a norm is slow for hundreds of layers.
            return torch.empty(self.out_channels, 1, 1, 1, device="meta")
        return (_norm(self._masked_weight()) + INIT_EPS).log()

    def normalised_weight(self) -> Tensor:
        """Return the effective weight, (out_channels, in_channels / groups, k, k), differentiable in W and s."""
        weight = self._masked_weight()
        return weight * (self.log_norm.exp() / (_norm(weight) + NORM_EPS))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x, (B, in_channels, H, W)."""
        weight = self.normalised_weight()
        self.last_weight = weight if self.training and weight.requires_grad else None
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, groups=self.groups)

    def _masked_weight(self) -> Tensor:
        return self.weight if self.mask is None else self.weight * self.mask

    def __getstate__(self) -> dict[str, object]:
        # A tensor inside an autograd graph can be neither copied nor pickled, and belongs to no saved state.
        return {**super().__getstate__(), "last_weight": None}


def _restore_mask(conv: WNConv2d, _incompatible_keys: object) -> None:
    if conv._build_mask is not None:
        conv.mask = conv._build_mask().to(conv.weight)


def _norm(weight: Tensor) -> Tensor:
    return torch.linalg.vector_norm(weight, dim=(1, 2, 3), keepdim=True)
