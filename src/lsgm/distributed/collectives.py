"""What processes tell each other. Every function must be called by all of them, in the same order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from lsgm.config import ConfigError

from .group import is_first, rank, size

T = TypeVar("T")


@torch.no_grad()
def mean_in_place(values: Tensor) -> Tensor:
    """Replace `values` by their mean over processes, and return them."""
    if size() > 1:
        dist.all_reduce(values)
        values.div_(size())
    return values


def mean(values: Tensor) -> Tensor:
    """Return the mean of `values` over processes, without gradient; `values` itself for a single process."""
    return mean_in_place(values.detach().clone()) if size() > 1 else values


def any_of(flag: bool) -> bool:
    """Whether the flag is true in any process."""
    if size() == 1:
        return flag
    # On the CPU: the host waits for the answer anyway, and a GPU need not stop for it.
    count = torch.tensor([int(flag)])
    dist.all_reduce(count)
    return bool(count.item())


def all_gathered(value: T) -> list[T]:
    """Every process's value, in the order of ranks; for small things that can be pickled."""
    if size() == 1:
        return [value]
    values: list[T | None] = [None] * size()
    dist.all_gather_object(values, value)
    return values


def on_first(work: Callable[[], T]) -> T:
    """Do the work in the first process alone; all get its result, or raise its error.

    Args:
        work: gives something that can be pickled, with tensors on the CPU.
    """
    if size() == 1:
        return work()
    if is_first():
        try:
            outcome = [work(), None]
        except Exception as error:
            told = error if isinstance(error, ConfigError) else RuntimeError(f"{type(error).__name__}: {error}")
            dist.broadcast_object_list([None, told], src=0)
            raise
    else:
        outcome = [None, None]
    dist.broadcast_object_list(outcome, src=0)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]


def wait_for_all() -> None:
    """Go on when every process is here."""
    any_of(False)


def same_rows(batch_size: int, key: str) -> slice:
    """Rows of a global batch that this process works on: as many as every other one.

    Args:
        batch_size: rows over all processes.
        key: the setting it comes from.

    Raises:
        ConfigError: it is not a multiple of the number of processes.
    """
    part, rest = divmod(batch_size, size())
    if rest:
        raise ConfigError(
            f"{key} = {batch_size} cannot be dealt to {size()} processes in equal parts; take a multiple of {size()}, "
            f"or another number of processes"
        )
    return slice(rank() * part, (rank() + 1) * part)
