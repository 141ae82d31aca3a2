"""Batch normalisation as the VAE uses it everywhere (method.md: NVAE backbone).

A subclass, so that its constants are written once; `lsgm.distributed.synchronised_batch_norms` joins processes.
"""

from __future__ import annotations

from torch import nn


class BatchNorm2d(nn.BatchNorm2d):
    """Affine batch normalisation with eps 1e-5 and momentum 0.05.

    Args:
        num_channels: channels of its input.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__(num_channels, eps=1e-5, momentum=0.05)
