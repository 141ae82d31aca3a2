"""Temporary modes of a model, undone on exit whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
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

    The authors' mode of this kind also moves them, which changes no image made in the mode.

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


@contextmanager
def every_channel_active(prior: object) -> Iterator[None]:
    """Let the prior's network see its inactive channels too; the mixing logits stay, and the mask comes back on exit.

    Args:
        prior: one with a buffer `active`, such as `MixedScorePrior`; any other has no mask, and nothing happens.

    Source: method 13, item 7 (the authors' files do not keep the mask, so their evaluation is without).
    """
    mask = getattr(prior, "active", None)
    if mask is None:
        yield
        return
    prior.active = torch.ones_like(mask)
    try:
        yield
    finally:
        prior.active = mask
