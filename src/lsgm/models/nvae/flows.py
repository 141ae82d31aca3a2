"""Volume-preserving autoregressive flows on the sample of one latent group (method.md: NVAE backbone).

A flow subtracts from each latent element a function of the elements before it, so its Jacobian is triangular with ones
on the diagonal and the log-density of the sample does not change. Elements are ordered by pixel in raster order, then
by channel; the mirrored flow reverses the order of pixels only. The inverse is never needed: the prior models the
result.
"""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .weight_norm import WNConv2d

EXPANSION = 6
"""Hidden channels per latent channel; hidden channel h belongs to latent channel h // EXPANSION."""

INITIAL_SCALE = 0.1
"""Factor on the initial norm of the last convolution, so that the flow starts close to the identity."""


def spatial_mask(kernel_size: int, mirror: bool) -> Tensor:
    """Return (k, k) ones at the pixels before the centre in raster order (after it, if mirrored), else zeros."""
    before = (torch.arange(kernel_size**2) < kernel_size**2 // 2).float().view(kernel_size, kernel_size)
    return before.flip(0, 1) if mirror else before


def channel_mask(out_owners: Tensor, in_owners: Tensor, strict: bool) -> Tensor:
    """Return (out, in) ones where the output may see the input at the same pixel.

    Args:
        out_owners: latent channel to which each output channel belongs.
        in_owners: latent channel to which each input channel belongs.
        strict: only lower latent channels, not the same one.
    """
    out_owners, in_owners = out_owners[:, None], in_owners[None, :]
    return (in_owners < out_owners if strict else in_owners <= out_owners).float()


def _centred(spatial: Tensor, centre: Tensor) -> Tensor:
    """Mask (out, in, k, k): the spatial mask for every pair of channels, and `centre` (out, in) at the pixel itself."""
    mask = spatial.expand(*centre.shape, *spatial.shape).clone()
    middle = spatial.shape[0] // 2
    mask[:, :, middle, middle] = centre
    return mask


def _mask_in(num_latent: int, mirror: bool) -> Tensor:
    latent = torch.arange(num_latent)
    centre = channel_mask(latent.repeat_interleave(EXPANSION), latent, strict=True)
    return _centred(spatial_mask(3, mirror), centre)


def _mask_depthwise(num_latent: int, mirror: bool) -> Tensor:
    return _centred(spatial_mask(5, mirror), torch.ones(EXPANSION * num_latent, 1))


def _mask_out(num_latent: int) -> Tensor:
    latent = torch.arange(num_latent)
    return channel_mask(latent, latent.repeat_interleave(EXPANSION), strict=False)[:, :, None, None]


class AutoregressiveShift(nn.Module):
    """One flow, z - mu(z), mu being three masked convolutions with one ELU between each two.

    Args:
        num_latent: z, channels of the group.
        mirror: let each pixel see those after it, in raster order, instead of those before it.
    """

    def __init__(self, num_latent: int, mirror: bool) -> None:
        super().__init__()
        width = EXPANSION * num_latent
        self.conv_in = WNConv2d(num_latent, width, 3, bias=False, mask=partial(_mask_in, num_latent, mirror))
        self.depthwise = WNConv2d(
            width, width, 5, groups=width, bias=False, mask=partial(_mask_depthwise, num_latent, mirror)
        )
        self.conv_out = WNConv2d(width, num_latent, 1, mask=partial(_mask_out, num_latent))
        with torch.no_grad():
            self.conv_out.log_norm += math.log(INITIAL_SCALE)

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, z, r, r) to (B, z, r, r)."""
        hidden = self.depthwise(F.elu(self.conv_in(z)))
        return z - self.conv_out(F.elu(hidden))


def flow_pairs(num_latent: int, num_pairs: int) -> nn.Sequential:
    """Return `num_pairs` times [a flow, a mirrored flow]; the identity if that is none."""
    return nn.Sequential(
        *(AutoregressiveShift(num_latent, mirror) for _ in range(num_pairs) for mirror in (False, True))
    )
