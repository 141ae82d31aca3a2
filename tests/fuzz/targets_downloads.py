"""Answers of servers: what comes instead of a file, over a connection on the loopback interface."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fuzz.raw_server import RawServer, http
from fuzz.target import Target

from lsgm.config import ConfigError
from lsgm.data.download import download

CONTENT = b"0123456789" * 20
CHECKSUM = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
BEFORE = b"what was there before"
MAX_BYTES = 4096
SECONDS = 5.0
CHUNKS = b"64\r\n" + CONTENT[:100] + b"\r\n64\r\n" + CONTENT[100:] + b"\r\n0\r\n\r\n"
ANSWERS = (
    http(CONTENT, "Content-Type: application/octet-stream", "Connection: close"),
    http(CONTENT, f"Content-Range: bytes 0-199/{len(CONTENT)}", status="206 Partial Content"),
    http(CHUNKS, "Transfer-Encoding: chunked", length=None),
    http(b"", "Location: /file", status="302 Found"),
    http(b"gone", "Content-Type: text/html", "Retry-After: 1", status="503 Service Unavailable"),
)


@cache
def server() -> RawServer:
    """One for all cases."""
    return RawServer()


def fetch(path: Path) -> None:
    """Send what the file holds as the answer: the file that is fetched is the right one, or the old one stays."""
    _fetch(path, CHECKSUM)
    assert _target(path).read_bytes() == CONTENT


def fetch_unknown(path: Path) -> None:
    """The same without a checksum: what is taken is not empty, no page, and within the limit."""
    _fetch(path, None)
    content = _target(path).read_bytes()
    assert 0 < len(content) <= MAX_BYTES and not content.lstrip().lower().startswith(b"<html")


def _target(path: Path) -> Path:
    return path.with_name("fetched-" + path.name)


def _fetch(path: Path, checksum: str | None) -> None:
    target = _target(path)
    target.write_bytes(BEFORE)
    target.with_name(target.name + ".part").unlink(missing_ok=True)
    server().answers = [path.read_bytes()]
    try:
        download([server().url], target, checksum, max_bytes=MAX_BYTES, timeout_seconds=SECONDS)
    except ConfigError:
        assert target.read_bytes() == BEFORE
        raise
    finally:
        target.with_name(target.name + ".part").unlink(missing_ok=True)


PLACES = ("file:///etc/passwd", "ftp://x/", "//", "http://[", "http://127.0.0.1:1/", "/\x00", "data:,x")
ATTACKS = (
    b"",
    b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" * 1000,
    b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    http(b"x" * (MAX_BYTES + 1)),
    http(b"x" * (MAX_BYTES + 1), length=None),
    http(b"", length=10**18),
    http(CONTENT, length=-5),
    http(b"ffffffffffffffff\r\n" + CONTENT, "Transfer-Encoding: chunked", length=None),
    http(b"-1\r\n" + CONTENT, "Transfer-Encoding: chunked", length=None),
    http(b"<html>log in</html>", "Content-Type: text/html"),
    *(http(b"", f"Location: {place}", status="301 Moved") for place in PLACES),
)

TARGETS = (
    Target("download", "answer", ANSWERS, fetch, examples=60, attacks=ATTACKS),
    Target("download without a checksum", "answer", ANSWERS, fetch_unknown, examples=60, attacks=ATTACKS),
    Target("words of a server", "answer", ANSWERS, fetch, is_text=True, examples=60, attacks=ATTACKS),
)
