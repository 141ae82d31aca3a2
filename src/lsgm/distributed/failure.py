"""Which of several processes tells the user about an error: the first that meets it, and no other."""

from __future__ import annotations

import os
from datetime import timedelta

import torch.distributed as dist

from lsgm.config import ConfigError

from .launch import launch

KEY = "lsgm: processes that failed"
PATIENCE = timedelta(seconds=10)


def first_to_fail() -> bool:
    """Whether no other process has failed before this one; what fails later does so because it waited for the first.

    The count is in the store of `torchrun`, which outlives its processes. If it cannot be reached, the error is told
    once too often rather than not at all.
    """
    try:
        if launch().size == 1:
            return True
        store = dist.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), timeout=PATIENCE)
        return store.add(KEY, 1) == 1
    except (ConfigError, RuntimeError, KeyError, ValueError):
        return True
