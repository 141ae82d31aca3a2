"""What a verb does only as a job of the workflow: it ends with the workflow's process, and waits for the job before it.

When `snakemake` is killed, its jobs would go on alone, and the same command typed again would start them twice. So
each watches the process that the workflow names in its environment, and ends as by SIGTERM when that one is gone: a
training saves itself. The job that takes its place waits for that. On a cluster, jobs outlive the `snakemake` that sent
them: there, the one that takes its place waits for as long as its own time allows.
"""

from __future__ import annotations

import math
import os
import select
import signal
import threading
from pathlib import Path

# Set by workflow/rules/locks.smk: the process of snakemake.
PROCESS = "LSGM_WORKFLOW_PROCESS"
# A step and a checkpoint of a large model take so long at most.
PATIENCE_SECONDS = 300.0
# What a job needs to end by itself.
LAST_SECONDS = 10.0


def is_job() -> bool:
    """Whether the workflow has started this process."""
    return PROCESS in os.environ


def patience(left: float) -> float:
    """Seconds to wait for a training that is at work in this one's place.

    Args:
        left: seconds to the end of this job's time; infinity if that is not known.
    """
    if not is_job():
        return 0.0
    return PATIENCE_SECONDS if math.isinf(left) else max(0.0, left - LAST_SECONDS)


def end_with_workflow() -> None:
    """Let this process end as by SIGTERM when the workflow's process is gone; by hand, or not on Linux, do nothing."""
    number = os.environ.get(PROCESS, "")
    # The number may be another machine's or container's: only an ancestor is meant.
    if not number.isdecimal() or int(number) not in _ancestors() or not hasattr(os, "pidfd_open"):
        return
    try:
        descriptor = os.pidfd_open(int(number))
    except OSError:
        return
    threading.Thread(target=_wait_and_end, args=(descriptor,), daemon=True).start()


def _wait_and_end(descriptor: int) -> None:
    select.select([descriptor], [], [])
    os.kill(os.getpid(), signal.SIGTERM)


def _ancestors() -> list[int]:
    """Numbers of the process that started this one, of the one that started that one, and so on."""
    found, pid = [], os.getppid()
    while pid > 1 and pid not in found:
        found.append(pid)
        try:
            told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            # After the name, which is in brackets and may hold anything: state, parent.
            pid = int(told.rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return found
