"""How this process was started: alone, or as one of several by `torchrun`, which says so in the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from lsgm.config import ConfigError


@dataclass(frozen=True)
class Launch:
    """Place of this process among all that were started together.

    Attributes:
        rank: 0 .. size - 1.
        size: number of processes.
        local_rank: place among those of this node; the GPU it works on.
        local_size: number of processes on this node.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1


def launch() -> Launch:
    """Read what `torchrun` has set; without it, one process alone.

    Raises:
        ConfigError: some of its variables are missing, no numbers, or out of range.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return Launch()
    try:
        values = [int(os.environ[key]) for key in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")]
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']!r}, but {error}: start several processes with torchrun, "
            f"or unset WORLD_SIZE"
        ) from None
    rank, size, local_rank, local_size = values
    absent = [key for key in ("MASTER_ADDR", "MASTER_PORT") if not os.environ.get(key)]
    if absent or not (0 <= rank < size and 0 <= local_rank < local_size <= size):
        named = f"RANK {rank}, LOCAL_RANK {local_rank}, LOCAL_WORLD_SIZE {local_size}"
        problem = f"{' and '.join(absent)} not set" if absent else named
        raise ConfigError(
            f"WORLD_SIZE is {size}, with {problem}: start several processes with torchrun, or unset WORLD_SIZE"
        )
    return Launch(*values)
