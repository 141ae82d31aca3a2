"""Temporary modes of a model, undone on exit whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put every module into evaluation mode; on exit each gets its own mode back."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """Let every batch norm use the statistics of the batch at hand; running statistics are neither used nor moved.

    Source: method 10; experiments 3 (CelebA-HQ samples are decoded this way).
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    flags = [(norm, norm.training, norm.track_running_stats) for norm in norms]
    for norm in norms:
        norm.training = True
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm, training, tracking in flags:
            norm.training = training
            norm.track_running_stats = tracking
