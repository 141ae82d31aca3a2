"""Watches the running statistics of batch norms, and restores them after a skipped step, which has already moved them.

Without it one batch with a non-finite activation would leave them, and so the saved model, non-finite for good.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
