"""How long ago this process began: its time slot began then, long before torch was imported."""

from __future__ import annotations

import os
import time
from pathlib import Path

# Place of the start in what follows the name of the program in /proc/PID/stat, in clock ticks since boot (proc(5)).
START = 19
IMPORTED = time.monotonic()


def seconds_since_start() -> float:
    """Seconds since this process began, or, if it is one of several, since `torchrun` began, which started them.

    Where there is no /proc, since this module was imported.
    """
    since_import = time.monotonic() - IMPORTED
    pid = os.getpid() if os.environ.get("WORLD_SIZE", "1") == "1" else os.getppid()
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[START]
        since_start = time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, IndexError, ValueError):
        return since_import
    return max(since_start, since_import)
