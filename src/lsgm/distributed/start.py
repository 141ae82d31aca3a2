"""Starts several processes on this machine with `torchrun`, and ends with the exit code of the first that failed."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

STOPPED = 75
# Seconds that processes have to save themselves after a stop signal; a cluster gives about two minutes.
SHUTDOWN_SECONDS = 100


def start_processes(count: int, module: str, arguments: Sequence[str], threads: int | None = None) -> int:
    """Run `python -m module arguments` in `count` processes that find each other.

    `torchrun` itself ends with 1 whatever has happened; here it is known whether the settings were wrong or the run
    can go on.

    Args:
        count: number of processes.
        module: what each runs.
        arguments: its command line.
        threads: CPU threads of all processes together; None for all there are.

    Returns:
        0, or the exit code of the first process that failed; 75 after a stop signal.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    total = len(os.sched_getaffinity(0)) if threads is None else threads
    os.environ["OMP_NUM_THREADS"] = str(max(1, total // count))
    # Its report on a failed process would bury that process's own line.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    words = ["--standalone", f"--nproc-per-node={count}", "--module", module, *arguments]
    options = run.parse_args(words)
    if hasattr(options, "shutdown_timeout"):
        options.shutdown_timeout = SHUTDOWN_SECONDS
    try:
        run.run(options)
    except ChildFailedError as error:
        return error.get_first_failure()[1].exitcode
    except SignalException:
        return STOPPED
    return 0
