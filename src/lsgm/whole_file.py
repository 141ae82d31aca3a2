"""Files that are there whole or not at all, whatever stops the process that writes them, and what is said of it."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lsgm.config import ConfigError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CURES = {
    **dict.fromkeys(NO_ROOM, "make room, or name a folder on another file system"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "ask for the right to it, or name another"),
    errno.ENOENT: "correct the path, or make it first",
    errno.EROFS: "the file system is read-only: name another folder",
    errno.ENAMETOOLONG: "take a shorter name",
    errno.EISDIR: "it is a folder: name a file",
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "a part of the path is a file: correct it"),
    errno.ELOOP: "its links lead in a circle: correct them",
    errno.EIO: "the file system or the device fails: try again, or name another folder",
    errno.ESTALE: "the file system has lost it: try again",
}
# What libraries that write through other languages make of the system's error.
ERROR_NUMBER = re.compile(r"\(os error (\d+)\)")


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside `path`, flush it to the disk, and only then give it its name.

    Args:
        path: the file; its folder must exist. An earlier file stays as it is if anything fails.
        write: fills the file whose path it is given.

    Raises:
        ConfigError: the file system refuses, as when it is full.
    """
    # Not the process number: processes on two nodes of a cluster may have the same.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with writing(path):
        temporary.touch(exist_ok=False)
        try:
            mode = temporary.stat().st_mode
            write(temporary)
            # Some writers make files that only their owner may read; a shared folder needs what the umask says.
            temporary.chmod(mode)
            _flush(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _flush(path.parent)


def explained(error: OSError) -> str:
    """The system's reason and a cure that fits it; never to delete a file that only may not be read."""
    return f"{error.strerror or error}; {CURES.get(error.errno, 'correct the path')}"


def refused_by_system(error: BaseException) -> OSError | None:
    """The system's own error behind an exception, as of permissions; None for a mistake in a file's content."""
    found = _refusal(error)
    return None if found is None or found.errno is None else found


def require_writable(path: Path) -> None:
    """Make the folder of an output file and try to write there, before any work is done.

    Raises:
        ConfigError: the folder cannot be made or written, or the name is too long.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # As long as the name that `write_whole` takes.
        trial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        trial.touch(exist_ok=False)
        trial.unlink()
    except (OSError, ValueError) as error:
        reason = explained(error) if isinstance(error, OSError) else f"{error}; take another name"
        raise ConfigError(f"{path}: cannot be written ({reason})") from None


def write_text_whole(path: Path, text: str) -> None:
    """Write a text as UTF-8 with `\\n`, whole or not at all."""
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Context that turns what the file system refuses into one line for the user; other errors pass.

    Args:
        path: the file that is being written, for the message.

    Raises:
        ConfigError: the disk or a quota is full, the folder is read-only, the disk fails, ...
    """
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        cure = "make room" if refusal.errno in NO_ROOM else "see to the disk"
        raise ConfigError(
            f"{path}: cannot be written ({refusal.strerror or refusal}); {cure}, then run the same command again"
        ) from error


def _refusal(error: BaseException) -> OSError | None:
    """The system's error behind an exception; libraries wrap it, or raise one of their own on top of it."""
    if isinstance(error, OSError):
        return error
    told = ERROR_NUMBER.search(str(error))
    if told is not None:
        return OSError(int(told[1]), os.strerror(int(told[1])))
    below = error.__cause__ or error.__context__
    return None if below is None else _refusal(below)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
