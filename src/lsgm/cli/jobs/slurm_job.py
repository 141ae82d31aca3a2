"""The Slurm job that this process runs in, and when it ends."""

from __future__ import annotations

import os
import re
import subprocess
import time

# squeue's %L: [days-]hours:minutes:seconds, or minutes:seconds, or seconds
LEFT = re.compile(r"(?:(?P<days>\d+)-)?(?:(?:(?P<hours>\d+):)?(?P<minutes>\d+):)?(?P<seconds>\d+)")
ENDLESS = ("UNLIMITED", "NOT_SET")
PATIENCE_SECONDS = 20


class EndNotKnown(Exception):  # noqa: N818 - the job's signal remains
    """It cannot be found out when the job ends, for the reason given."""


def job_id() -> str | None:
    """Number of the Slurm job around this process, or None."""
    return os.environ.get("SLURM_JOB_ID") or None


def seconds_left() -> float | None:
    """Seconds until the job's time limit; None for a job without one.

    Raises:
        EndNotKnown: Slurm does not say.
    """
    # Newer versions of Slurm tell every job; a controller with thousands of jobs should not be asked without need.
    told = os.environ.get("SLURM_JOB_END_TIME", "")
    left = int(told) - time.time() if told.isdecimal() else _parsed(_asked())
    if left is not None and left <= 0:
        # A shell that `salloc` started may outlive its job, and keep its variables.
        raise EndNotKnown("by now it should have ended")
    return left


def _asked() -> str:
    """What squeue says of the time left."""
    command = ["squeue", "--noheader", f"--jobs={job_id()}", "--format=%L"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    except OSError as error:
        raise EndNotKnown(f"squeue: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise EndNotKnown(f"no answer from squeue in {PATIENCE_SECONDS} s") from None
    if done.returncode != 0:
        raise EndNotKnown((done.stderr.strip() or f"squeue: exit code {done.returncode}").splitlines()[-1])
    return done.stdout.strip()


def _parsed(text: str) -> float | None:
    if text in ENDLESS:
        return None
    found = LEFT.fullmatch(text)
    if found is None:
        raise EndNotKnown(f"squeue says {text!r}")
    days, hours, minutes, seconds = (int(part or 0) for part in found.group("days", "hours", "minutes", "seconds"))
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
