"""Batch normalisation with the statistics of the global batch, on any device (`nn.SyncBatchNorm` is for GPUs only).

Forward: each process's mean and centred sum of squares are gathered and merged (Chan, Golub and LeVeque 1979), which
unlike sums of squares loses no digits. Backward: one sum over processes of two vectors. Gradients of scale and shift
are those of this process's rows; they are averaged later, with all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from .group import size

ROWS = (0, 2, 3)


@contextmanager
def synchronised_batch_norms(network: nn.Module) -> Iterator[None]:
    """Inside the block, batch norms in training mode normalise over all processes; nothing changes for a single one.

    Parameters, buffers and their names stay the same objects.

    Args:
        network: its two-dimensional batch norms are meant; every process has equally many rows.
    """
    kinds = [(norm, type(norm)) for norm in network.modules() if isinstance(norm, nn.BatchNorm2d) and size() > 1]
    for norm, _ in kinds:
        norm.__class__ = SynchronisedBatchNorm2d
    try:
        yield
    finally:
        for norm, kind in kinds:
            norm.__class__ = kind


class SynchronisedBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` over the rows of all processes."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W), this process's rows of the global batch."""
        if not self.training:
            return super().forward(x)
        output, mean, variance = _Normalise.apply(x, self.weight, self.bias, self.eps)
        if self.track_running_stats:
            self._track(mean, variance, size() * x.numel() // x.shape[1])
        return output

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
        self.running_var.lerp_((variance * (count / (count - 1))).to(self.running_var), self.momentum)


class _Normalise(torch.autograd.Function):
    """Output, and mean and biased variance of the global batch; the statistics carry no gradient."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        variance, mean = torch.var_mean(_precise(x), dim=ROWS, correction=0)
        mean, variance = _merge(mean, variance)
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(variance + eps))
        ctx.mark_non_differentiable(mean, variance)
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps), mean, variance

    @staticmethod
    @once_differentiable
    def backward(
        ctx: FunctionCtx, gradient: Tensor, _mean: Tensor, _variance: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, inverse = ctx.saved_tensors
        outer = _precise(gradient)
        normalised = (_precise(x) - _as_channels(mean)) * _as_channels(inverse)
        for_bias, for_weight = outer.sum(dim=ROWS), (outer * normalised).sum(dim=ROWS)
        sums = torch.cat([for_bias, for_weight])
        dist.all_reduce(sums)
        along_one, along_x = (sums / (size() * x.numel() // x.shape[1])).chunk(2)
        centred = outer - _as_channels(along_one) - normalised * _as_channels(along_x)
        inner = centred * _as_channels(inverse * weight)
        return inner.to(x.dtype), for_weight.to(weight.dtype), for_bias.to(weight.dtype), None


def _merge(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance over processes with equally many rows."""
    own = torch.cat([mean, variance])
    gathered = [torch.empty_like(own) for _ in range(size())]
    dist.all_gather(gathered, own)
    means, variances = torch.stack(gathered).chunk(2, dim=1)
    total = means.mean(dim=0)
    return total, variances.mean(dim=0) + (means - total).square().mean(dim=0)


def _precise(x: Tensor) -> Tensor:
    """In float32 at least, as batch norm computes its sums under autocast."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _as_channels(values: Tensor) -> Tensor:
    return values[:, None, None]
