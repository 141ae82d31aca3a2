"""The group of processes that work on one run, and this process's place in it."""

from __future__ import annotations

from datetime import timedelta

import torch.distributed as dist

# Processes may wait for one that samples or evaluates a hard batch; torchrun notices those that died.
TIMEOUT = timedelta(hours=6)


def join(device_type: str) -> None:
    """Join the other processes that `torchrun` has started; blocks until all are there.

    Tensors on the CPU go through gloo, those on GPUs through NCCL.

    Args:
        device_type: `cpu` or `cuda`, where the work is done.
    """
    backend = "cpu:gloo,cuda:nccl" if device_type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=TIMEOUT)


def leave() -> None:
    """Leave the group, if this process is in one."""
    if _joined():
        dist.destroy_process_group()


def rank() -> int:
    """Place of this process in the group; 0 if it is alone."""
    return dist.get_rank() if _joined() else 0


def size() -> int:
    """Number of processes in the group; 1 if this one is alone."""
    return dist.get_world_size() if _joined() else 1


def is_first() -> bool:
    """Whether this is the process that writes files and talks to the user."""
    return rank() == 0


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized()
