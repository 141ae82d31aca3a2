"""The time that a training has: `--minutes`, the end of the Slurm job around it, or as long as it takes."""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from lsgm.cli.jobs import process_start, slurm_job
from lsgm.config import ConfigError
from lsgm.stop_signals import stop_signals

if TYPE_CHECKING:
    from lsgm.training import Deadline

STOPPED = 75
# A batch system's job began some seconds before this process: a hundredth of the time, a minute at most, is for that.
RESERVE = 0.01
MAX_RESERVE_SECONDS = 60.0
# To end takes a process time, too, on a busy machine or a slow file system as much more as its start has taken.
END_PER_START = 0.5


def deadline(args: argparse.Namespace) -> Deadline:
    """When the training must have saved itself; asked once the processes have found each other.

    Only the first process knows, and looks: it is the one that saves, and what one process wants, all do.

    Raises:
        ConfigError: `--minutes` is no length of time.
    """
    from lsgm import distributed
    from lsgm.training import Deadline

    if args.minutes is not None and not (math.isfinite(args.minutes) and args.minutes > 0):
        raise ConfigError(f"--minutes {args.minutes:g}: must be more than 0")
    if not distributed.is_first():
        return Deadline()
    ends = [end for end in (_given(args), _of_job(args.verb)) if end is not None]
    if not ends:
        return Deadline()
    left, source = min(ends)
    ending = END_PER_START * process_start.seconds_since_start()
    return Deadline(time.monotonic() + left - ending, source)


@contextmanager
def starting(verb: str) -> Iterator[None]:
    """Inside the block a stop signal ends the process at once: there is nothing to save before the training.

    An exception from a signal handler could get lost in whatever is being imported. One of several processes, where a
    handler would have to wait until all others have come, ends as the system ends it.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1":
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        line = f"lsgm {verb}: stopped by {name} before the training; run the same command again to go on\n"
        os.write(sys.__stderr__.fileno(), line.encode())
        os._exit(STOPPED)

    previous = {number: signal.signal(number, leave) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _given(args: argparse.Namespace) -> tuple[float, str] | None:
    """Seconds left of `--minutes`."""
    if args.minutes is None:
        return None
    seconds = 60.0 * args.minutes
    reserve = min(RESERVE * seconds, MAX_RESERVE_SECONDS)
    return seconds - reserve - process_start.seconds_since_start(), f"--minutes {args.minutes:g}"


def _of_job(verb: str) -> tuple[float, str] | None:
    """Seconds left of the Slurm job around this process."""
    job = slurm_job.job_id()
    if job is None:
        return None
    try:
        left = slurm_job.seconds_left()
    except slurm_job.EndNotKnown as reason:
        print(
            f"lsgm {verb}: note: when Slurm job {job} ends is not known ({reason}); its signal will stop the training",
            file=sys.stderr,
        )
        return None
    return None if left is None else (left, f"time limit of Slurm job {job}")
