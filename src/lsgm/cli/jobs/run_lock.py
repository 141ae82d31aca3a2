"""One training at a time in one folder: a lock that ends with its process, however that ends.

The operating system keeps the lock (`flock`), so a process that was killed leaves none behind. The file also says who
holds it, and its time moves as long as that process lives: where file systems do not share locks between machines,
another machine's process counts as alive until the file has been still for a minute.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from lsgm.cli.jobs.slurm_job import job_id
from lsgm.config import ConfigError
from lsgm.whole_file import writing

BEAT_SECONDS = 15.0
SILENT_SECONDS = 60.0
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: process, machine, local time of its start, and its Slurm job, if it is in one."""

    pid: int
    host: str
    since: str
    slurm_job: str | None = None

    def __str__(self) -> str:
        job = "" if self.slurm_job is None else f", Slurm job {self.slurm_job}"
        return f"process {self.pid} on {self.host} (since {self.since}{job})"

    @property
    def how_to_end(self) -> str:
        """The command that ends it; a training then saves itself."""
        return f"kill {self.pid}" if self.slurm_job is None else f"scancel {self.slurm_job}"


class BusyError(ConfigError):
    """Another process holds the lock; `who` says in words which one, if the file says it."""

    def __init__(self, what: str, holder: Holder | None) -> None:
        self.who = "another process" if holder is None else str(holder)
        end = "" if holder is None else f", or end it (`{holder.how_to_end}`) and try again"
        super().__init__(f"{what}: {self.who} is at work on it; wait for its end{end}")

    def __reduce__(self) -> tuple[type[ConfigError], tuple[object, ...]]:
        """The other processes of one run are told in words alone."""
        return ConfigError, self.args


def this_process() -> Holder:
    """This process as a holder."""
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return Holder(os.getpid(), socket.gethostname(), since, job_id())


class RunLock:
    """A lock that this process holds until it leaves the context, or ends.

    Args:
        descriptor: the open lock file.
        holder: this process, as the file shall say.
    """

    def __init__(self, descriptor: int, holder: Holder) -> None:
        self._descriptor = descriptor
        self._ended = threading.Event()
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(holder)).encode(), 0)
        self._beating = threading.Thread(target=self._beat, daemon=True)
        self._beating.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._beating.join()
        try:
            os.ftruncate(self._descriptor, 0)
        finally:
            os.close(self._descriptor)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            try:
                os.utime(self._descriptor)
            except OSError:
                return


@dataclass(frozen=True)
class _Taken:
    """What stands in the way: the holder, if the file says it, whether it lives for certain, time of its last beat."""

    holder: Holder | None
    is_alive: bool
    beat: int


def take(
    path: Path,
    what: str,
    patience: float = 0.0,
    me: Holder | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> RunLock:
    """Take a lock.

    Args:
        path: lock file, made if absent; its folder must exist.
        what: what the holder works on, for the message.
        patience: seconds to wait for a holder that is alive.
        me: this process.
        clock: seconds that only grow.
        sleep: waits for so many seconds.

    Raises:
        BusyError: another process that is alive holds it.
    """
    me = me or this_process()
    started = still_since = clock()
    beat = None
    while True:
        silent = beat is not None and clock() - still_since >= SILENT_SECONDS
        with writing(path):
            found = _try(path, me, silent)
        if isinstance(found, RunLock):
            return found
        is_alive = found.is_alive or beat not in (None, found.beat)
        if found.beat != beat:
            beat, still_since = found.beat, clock()
        if is_alive and clock() - started >= patience:
            raise BusyError(what, found.holder)
        sleep(LOOK_SECONDS)


def _try(path: Path, me: Holder, silent: bool) -> RunLock | _Taken:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        kept_by_system = _flock(descriptor)
        holder, beat = _read(descriptor), os.fstat(descriptor).st_mtime_ns
        if kept_by_system is False:
            found = _Taken(holder, True, beat)
        elif holder is None or silent or (holder.host == me.host and (kept_by_system or not is_running(holder.pid))):
            lock, descriptor = RunLock(descriptor, me), -1
            return lock
        else:
            found = _Taken(holder, holder.host == me.host, beat)
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return found


def _flock(descriptor: int) -> bool | None:
    """Whether the system gave the lock; None where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _read(descriptor: int) -> Holder | None:
    try:
        return Holder(**json.loads(os.pread(descriptor, 10_000, 0)))
    except (ValueError, TypeError):
        return None


def is_running(pid: int) -> bool:
    """Whether a process of this machine has this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
