"""Restores the running statistics of batch norms after a skipped step, whose forward pass has already moved them.

Without it one batch with a non-finite activation would leave them, and so the saved model, non-finite for good.
"""

from __future__ import annotations

import torch
from torch import nn


class RunningStatistics:
    """Copy of the running means and variances of a network.

    Args:
        network: in training mode.
    """

    def __init__(self, network: nn.Module) -> None:
        self._buffers = [
            buffer
            for module in network.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
            for buffer in (module.running_mean, module.running_var)
        ]
        self._copies = [buffer.clone() for buffer in self._buffers]

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
