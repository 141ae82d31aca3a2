"""Which processes of `snakemake` are at work in this folder, so that a lock without an owner is told from one with.

Snakemake's own locks are files that do not say whose they are: after a kill they stay, and only `snakemake --unlock`
removes them, whoever else may be at work. So every `snakemake` also holds a file of its own, by a lock that the
operating system takes back when its process ends. Where all who were here are dead, so are Snakemake's locks.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from lsgm.cli.jobs.run_lock import Holder, this_process

FOLDER = "lsgm-running"


def enter(state: Path, say: Callable[[str], object]) -> None:
    """Note that this `snakemake` is at work, and remove the locks of dead ones.

    Args:
        state: Snakemake's folder, `.snakemake`.
        say: receives one line for the user, where a lock stands or was removed.
    """
    running = state / FOLDER
    try:
        running.mkdir(parents=True, exist_ok=True)
        others = _others(running)
        _note_this_process(running)
    except OSError:
        # A folder that cannot be written, or without locks: Snakemake has its own word on it.
        return
    if any((state / "locks").glob("*.lock")):
        _judge(state, others, say)


def _judge(state: Path, others: dict[Path, tuple[Holder, bool | None]], say: Callable[[str], object]) -> None:
    """Say whose Snakemake's locks are, or remove them. Whether an owner lives is None if that cannot be known."""
    known = {lives: [holder for holder, found in others.values() if found is lives] for lives in (True, False, None)}
    for holder in known[True]:
        say(
            f"snakemake {holder} is at work in this folder: what it makes cannot be asked for twice; wait for its end, "
            f"or end it (`kill {holder.pid}`) and type this again"
        )
    for holder in known[None]:
        say(
            f"snakemake {holder} was at work in this folder, and whether it still is cannot be seen from here; if it "
            "has ended, type `snakemake --unlock`, and then this again"
        )
    if known[False] and not known[True] and not known[None]:
        for lock in (state / "locks").glob("*.lock"):
            lock.unlink(missing_ok=True)
        who = ", ".join(map(str, known[False]))
        say(f"snakemake {who} was killed here; its locks are removed, and what it had not finished is made again")
    if not known[True]:
        for file, (_, lives) in others.items():
            if lives is False:
                file.unlink(missing_ok=True)


def _others(running: Path) -> dict[Path, tuple[Holder, bool | None]]:
    """All that were at work here and did not end by themselves, and whether they live."""
    found = {}
    for file in running.glob("*.json"):
        try:
            holder = Holder(**json.loads(file.read_text(encoding="utf-8")))
            found[file] = (holder, _lives(file, holder))
        except FileNotFoundError:
            continue
        except (ValueError, TypeError):
            file.unlink(missing_ok=True)
    return found


def _lives(file: Path, holder: Holder) -> bool | None:
    with file.open("rb+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        # File systems need not share locks between machines.
        return False if holder.host == this_process().host else None


def _note_this_process(running: Path) -> None:
    """Write and hold this process's file; it gets its name when it is held."""
    me = this_process()
    file = running / f"{me.host}-{me.pid}.json"
    temporary = file.with_suffix(".writing")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(descriptor, json.dumps(asdict(me)).encode())
    os.replace(temporary, file)
    # The descriptor stays open to the end of the process, on purpose.
    atexit.register(_leave, file, os.getpid())


def _leave(file: Path, pid: int) -> None:
    if os.getpid() == pid:
        file.unlink(missing_ok=True)
