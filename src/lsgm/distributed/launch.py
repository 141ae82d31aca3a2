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
        ConfigError: some of its variables are missing or no numbers.
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
    return Launch(*values)
