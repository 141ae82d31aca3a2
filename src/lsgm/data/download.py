"""Fetching a published file: resumed where it was interrupted, verified, and put in place by rename.

The bytes collect in `<name>.part` beside the target, so the target is either absent or whole. Mirrors are tried in
order; a part begun at one mirror goes on at the next, because the checksum decides about the whole.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from lsgm.config import ConfigError

CHUNK_BYTES = 1 << 20
ATTEMPTS_PER_MIRROR = 4
DEFAULT_MAX_BYTES = 64 * 2**30


class _RefusedError(Exception):
    """What came is not the file; another attempt at the same mirror would bring the same."""


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
        target: where it goes; its folder is made.
        checksum: `"md5:<hex>"` or `"sha256:<hex>"`, or None if none is published.
        max_bytes: a longer answer is cut off and refused.
        timeout_seconds: longest wait for any single answer of the network.

    Returns:
        `target`.

    Raises:
        ConfigError: no mirror gave it; says which file to put where, its checksum, and why each mirror failed.
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
                os.replace(part, target)
                return target
            except _RefusedError as error:
                reasons.append(f"{url}: {error}")
                break
            except (OSError, http.client.HTTPException, ValueError) as error:
                reasons.append(f"{url}: {_reason(error)}")
                if _size(part) == size_before:
                    break
    raise ConfigError(
        f"{target.name} could not be fetched; put it at {target} by hand"
        + (f" ({checksum})" if checksum else "")
        + f" [{'; '.join(dict.fromkeys(reasons)) or 'no address is known'}]"
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _reason(error: Exception) -> str:
    text = getattr(error, "reason", None) or error
    return " ".join(str(text).split()) or type(error).__name__


def _fetch(url: str, part: Path, max_bytes: int, timeout_seconds: float) -> None:
    """Bring `part` to the full length of the file, from wherever it stands."""
    if not url.startswith(("http://", "https://")):
        raise _RefusedError("only http and https addresses are fetched")
    offset = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout_seconds)
    except urllib.error.HTTPError as error:
        # 416: nothing lies beyond the offset, so the part is whole, or not a part of this file: the checksum decides.
        if error.code == 416 and offset:
            return
        raise
    with response:
        start = _start(response, offset)
        length = response.headers.get("Content-Length")
        with part.open("ab" if start else "wb") as stream:
            received = start
            while chunk := response.read(CHUNK_BYTES):
                received += len(chunk)
                if received > max_bytes:
                    break
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
    if received > max_bytes:
        part.unlink()
        raise _RefusedError(f"longer than {max_bytes:,} bytes")
    if length is not None and received - start != int(length):
        raise ConnectionError(f"connection closed after {received:,} of {start + int(length):,} bytes")


def _start(response: http.client.HTTPResponse, offset: int) -> int:
    """Offset at which the answer's bytes belong: where we asked, or 0 from a server that sends the whole file."""
    if response.status != 206:
        return 0
    content_range = response.headers.get("Content-Range", "")
    if not content_range.startswith(f"bytes {offset}-"):
        raise _RefusedError(f"asked for bytes from {offset}, was sent {content_range!r}")
    return offset


def _check(part: Path, checksum: str | None, resumed: bool) -> None:
    """Compare with the published checksum; what does not agree is deleted."""
    if _size(part) == 0:
        part.unlink(missing_ok=True)
        raise _RefusedError("the answer is empty")
    if checksum is None:
        return
    algorithm, expected = checksum.split(":")
    with part.open("rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    if found != expected:
        part.unlink()
        message = f"checksum found {algorithm}:{found}, expected {checksum}"
        # A part left by something else spoils a good mirror's answer: start over once, from nothing.
        raise ConnectionError(message) if resumed else _RefusedError(message)
