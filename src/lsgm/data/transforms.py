"""From raw 8-bit images to what the networks see (method.md: Data).

Bit reduction floor(255 x / 2^(8-b)) / (2^b - 1) for b bits and x in [0, 1], or a Bernoulli draw per pixel for binary
sets; then 2x - 1, padding with the value of a zero pixel, and horizontal flips. Random numbers are arguments: the
caller decides what keys them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from lsgm.config import DataConfig


def to_model_input(
    images: Tensor, config: DataConfig, uniforms: Tensor | None = None, flips: Tensor | None = None
) -> Tensor:
    """Make network inputs of raw images.

    Args:
        images: uint8 (B, C, H, W).
        config: `binarise`, `num_bits` and `pad`.
        uniforms: on [0, 1), float (B, C, H, W), one per pixel; needed if and only if `config.binarise`.
        flips: bool (B,), True where an image is mirrored left to right; None mirrors none.

    Returns:
        float32 (B, C, H + 2 pad, W + 2 pad) in [-1, 1]; in {-1, 1} for binary sets.

    Raises:
        ValueError: wrong type of images, or uniforms where none are needed or the reverse.

    Source: method.md: Data; NVAE for the bit reduction.
    """
    if images.dtype != torch.uint8:
        raise ValueError(f"images are {images.dtype}, not torch.uint8")
    if (uniforms is not None) != config.binarise:
        raise ValueError(f"uniforms are needed if and only if data.binarise is true; it is {config.binarise}")
    if uniforms is not None:
        intensities = (uniforms * 255 < images).to(torch.float32)
    else:
        intensities = (images >> (8 - config.num_bits)).to(torch.float32) / (2**config.num_bits - 1)
    inputs = pad(2 * intensities - 1, [config.pad] * 4, value=-1.0)
    if flips is not None:
        inputs = torch.where(flips.view(-1, 1, 1, 1), inputs.flip(-1), inputs)
    return inputs
