"""Fetching a published file: resumed where it was interrupted, verified, and put in place by rename.

The bytes collect in `<name>.part` beside the target, so the target is either absent or whole. Mirrors are tried in
order; a part begun at one mirror goes on at the next, because the checksum decides about the whole. What is known not
to be the file - a web page, too many bytes, a wrong checksum - is never kept.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
from collections.abc import Sequence
from pathlib import Path

from lsgm.config import ConfigError
from lsgm.whole_file import writing

from .web import Answer, RefusedError, ask

CHUNK_BYTES = 1 << 20
ATTEMPTS_PER_MIRROR = 4
DEFAULT_MAX_BYTES = 64 * 2**30
WEB_PAGE = (b"<!doctype html", b"<html")


def download(
    urls: Sequence[str],
    target: Path,
    checksum: str | None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    timeout_seconds: float = 30.0,
) -> Path:
    """Fetch a file from the first mirror that gives it whole.

    Args:
        urls: http(s) addresses of the same file.
        target: where it goes; its folder is made. What is there already stays until the new file is whole.
        checksum: `"md5:<hex>"` or `"sha256:<hex>"`, or None if none is published.
        max_bytes: a longer answer is cut off and refused.
        timeout_seconds: longest wait for any single answer of the network.

    Returns:
        `target`.

    Raises:
        ConfigError: no mirror gave it; says which file to put where, its checksum, and why each mirror failed. Or the
            disk does not take it.
    """
    part = target.with_name(target.name + ".part")
    reasons: list[str] = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{target.parent}: cannot be made ({error.strerror}); choose another data root") from error
    for url in urls:
        for _ in range(ATTEMPTS_PER_MIRROR):
            size_before = _size(part)
            try:
                _fetch(url, part, max_bytes, timeout_seconds)
                _check(part, checksum, resumed=size_before > 0)
            except ConfigError:
                raise
            except RefusedError as error:
                reasons.append(f"{url}: {error}")
                break
            except (OSError, http.client.HTTPException, ValueError) as error:
                # A server may send all, and then neither say so nor close the connection.
                if not (checksum and _size(part) > size_before and _digest(part, checksum) == checksum):
                    reasons.append(f"{url}: {_reason(error)}")
                    if _size(part) == size_before:
                        break
                    continue
            with writing(target):
                os.replace(part, target)
            return target
    raise ConfigError(
        f"{target.name} could not be fetched; put it at {target} by hand"
        + (f" ({checksum})" if checksum else "")
        + f" [{'; '.join(dict.fromkeys(reasons)) or 'no address is known'}]"
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}, {error.reason}"
    text = getattr(error, "reason", None) or error
    return " ".join(str(text).split()) or type(error).__name__


def _fetch(url: str, part: Path, max_bytes: int, timeout_seconds: float) -> None:
    """Bring `part` to the full length of the file, from wherever it stands."""
    with ask(url, _size(part), timeout_seconds) as answer:
        if answer.is_complete:
            return
        if answer.total is not None and answer.total > max_bytes:
            raise RefusedError(f"longer than {max_bytes:,} bytes")
        received = _receive(answer, part, max_bytes)
    if received > max_bytes:
        part.unlink()
        raise RefusedError(f"longer than {max_bytes:,} bytes")
    if answer.total is not None and received > answer.total:
        part.unlink()
        raise RefusedError(f"sent {received:,} bytes of a file of {answer.total:,}")
    if answer.total is not None and received < answer.total:
        raise ConnectionError(f"connection closed after {received:,} of {answer.total:,} bytes")


def _receive(answer: Answer, part: Path, max_bytes: int) -> int:
    """Write what comes as it comes; return how long the part is then, or more than `max_bytes`."""
    with writing(part):
        # Unbuffered: what has come is on its way to the disk, and closing cannot fail.
        stream = part.open("ab" if answer.start else "wb", buffering=0)
    received = answer.start
    with stream:
        while chunk := answer.read(CHUNK_BYTES):
            received += len(chunk)
            if received > max_bytes:
                break
            with writing(part):
                rest = memoryview(chunk)
                while rest:
                    rest = rest[stream.write(rest) :]
        with writing(part):
            os.fsync(stream.fileno())
    return received


def _check(part: Path, checksum: str | None, resumed: bool) -> None:
    """Compare with the published checksum; what does not agree is deleted."""
    if _size(part) == 0:
        part.unlink(missing_ok=True)
        raise RefusedError("the answer is empty")
    if checksum is None:
        with part.open("rb") as stream:
            is_page = stream.read(200).lstrip().lower().startswith(WEB_PAGE)
        if is_page:
            part.unlink()
            raise RefusedError("a web page was sent in its place")
        return
    found = _digest(part, checksum)
    if found != checksum:
        part.unlink()
        message = f"checksum found {found}, expected {checksum}"
        # A part left by something else spoils a good mirror's answer: start over once, from nothing.
        raise ConnectionError(message) if resumed else RefusedError(message)


def _digest(path: Path, like: str) -> str:
    """Checksum of a file, by the algorithm of another one."""
    algorithm = like.split(":")[0]
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return f"{algorithm}:{digest.hexdigest()}"
