"""Servers that err and lie: one line that says how, nothing half-written in the file's place, a good file stays."""

from __future__ import annotations

import hashlib
import os
import re
import resource
from pathlib import Path

import pytest
from fuzz.raw_server import http, serving

from lsgm.config import ConfigError
from lsgm.data.download import download

CONTENT = bytes(range(256)) * 40
CHECKSUM = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
PAGE = b"<!DOCTYPE html>\n<html><body>Please log in to the network</body></html>"
SECONDS = 0.3
WHOLE = http(CONTENT)


def refused(target: Path, *answers: bytes, checksum: str | None = CHECKSUM, holds: bool = False, **limits) -> str:
    """The line with which these answers are refused; asserts that there was nothing in the file's place after it."""
    with serving(*answers, holds=holds) as server, pytest.raises(ConfigError) as error:
        download([server.url], target, checksum, timeout_seconds=SECONDS, **limits)
    message = str(error.value)
    assert message.startswith(f"{target.name} could not be fetched; put it at {target} by hand")
    assert message.isprintable() and server.url in message
    return message


ANSWERS = {
    "not found": (http(b"no", status="404 Not Found"), "HTTP 404, Not Found"),
    "server error": (http(b"no", status="500 Internal Server Error"), "HTTP 500, Internal Server Error"),
    "no content": (http(b"", status="204 No Content"), "empty"),
    "a web page": (http(PAGE, "Content-Type: text/html; charset=utf-8"), "a web page was sent in its place"),
    "another file": (http(CONTENT[::-1]), "checksum found sha256:.*, expected sha256:"),
    "less than it says": (http(CONTENT[:-9], length=len(CONTENT)), "connection closed after 10,231 of 10,240 bytes"),
    "more than it says": (http(CONTENT, length=9), "checksum found"),
    "not HTTP": (b"220 ftp.example.org ready\r\n", "."),
    "nothing": (b"", "."),
    "a length that is no number": (http(CONTENT[:-1], length="9" * 5000), "checksum found"),
    "chunks that are none": (http(b"zz\r\n" + CONTENT, "Transfer-Encoding: chunked", length=None), "."),
    "a redirection to a file": (http(b"", "Location: file:///etc/passwd", status="302 Found"), "."),
    "a redirection to ftp": (http(b"", "Location: ftp://127.0.0.1/file", status="302 Found"), "only http and https"),
    "a redirection in a circle": (http(b"", "Location: /file", status="302 Found"), "infinite loop"),
    "a range nobody asked for": (
        http(CONTENT[5:], "Content-Range: bytes 5-9/10", status="206 Partial Content"),
        "asked for bytes from 0, was sent 'bytes 5-9/10'",
    ),
    "a status with escapes": (http(b"", status="404 \x1b[31mred"), r"\\x1b"),
}


@pytest.mark.parametrize("good_before", [False, True])
@pytest.mark.parametrize("what", ANSWERS)
def test_refused_and_a_good_file_stays(what: str, good_before: bool, tmp_path: Path) -> None:
    answer, expected = ANSWERS[what]
    target = tmp_path / "file.gz"
    if good_before:
        target.write_bytes(CONTENT)
    message = refused(target, answer)
    assert re.search(expected, message), message
    assert target.exists() == good_before
    assert not good_before or target.read_bytes() == CONTENT


@pytest.mark.parametrize("headers", [("Content-Type: text/html",), ()])
def test_a_web_page_is_no_file_although_no_checksum_is_known(headers: tuple[str, ...], tmp_path: Path) -> None:
    """What a hotel's network sends in place of everything, with status 200."""
    message = refused(tmp_path / "file", http(PAGE, *headers), checksum=None)
    assert "a web page was sent in its place" in message
    assert list(tmp_path.iterdir()) == []


def test_a_web_page_does_not_cost_the_part_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:5000])
    refused(tmp_path / "file", http(PAGE, "Content-Type: text/html"))
    assert (tmp_path / "file.part").read_bytes() == CONTENT[:5000]


@pytest.mark.parametrize("checksum", [CHECKSUM, None])
def test_a_server_that_never_closes_is_not_waited_for_once_all_is_here(checksum: str | None, tmp_path: Path) -> None:
    with serving(WHOLE, holds=True) as server:
        download([server.url], tmp_path / "file", checksum, timeout_seconds=60)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_one_that_says_no_length_either_is_found_out_by_the_checksum(tmp_path: Path) -> None:
    with serving(http(CONTENT, length=None), holds=True) as server:
        download([server.url], tmp_path / "file", CHECKSUM, timeout_seconds=SECONDS)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_one_that_stops_in_the_middle_costs_nothing_that_has_come(tmp_path: Path) -> None:
    """What came before the pause is kept, to the last byte, and asked for no more."""
    rest = http(CONTENT[3000:], f"Content-Range: bytes 3000-{len(CONTENT) - 1}/*", status="206 Partial Content")
    with serving(http(CONTENT[:3000], length=len(CONTENT)), rest, holds=True) as server:
        download([server.url], tmp_path / "file", CHECKSUM, timeout_seconds=SECONDS)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert b"Range: bytes=3000-" in server.requests[1]


def test_a_first_part_that_is_called_the_whole_is_none(tmp_path: Path) -> None:
    half = f"Content-Range: bytes 0-{len(CONTENT) // 2 - 1}/{len(CONTENT)}"
    message = refused(tmp_path / "file", http(CONTENT[: len(CONTENT) // 2], half, status="206 Partial"), checksum=None)
    assert "connection closed after 5,120 of 10,240 bytes" in message


def test_an_endless_body_ends_at_the_limit(tmp_path: Path) -> None:
    message = refused(tmp_path / "file", http(CONTENT * 100, length=None), max_bytes=len(CONTENT))
    assert "longer than 10,240 bytes" in message
    assert list(tmp_path.iterdir()) == []


def test_a_length_beyond_the_limit_is_not_waited_for(tmp_path: Path) -> None:
    message = refused(tmp_path / "file", http(b"", length=10**15), max_bytes=10**9, holds=True)
    assert "longer than 1,000,000,000 bytes" in message
    assert list(tmp_path.iterdir()) == []


def test_more_than_the_range_that_was_announced_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    answer = http(CONTENT[1000:], "Content-Range: bytes 1000-1999/2000", status="206 Partial Content")
    assert "sent 10,240 bytes of a file of 2,000" in refused(tmp_path / "file", answer, checksum=None)
    assert list(tmp_path.iterdir()) == []


def test_a_redirection_within_the_web_is_followed(tmp_path: Path) -> None:
    with serving(WHOLE) as there, serving(http(b"", f"Location: {there.url}", status="302 Found")) as here:
        download([here.url], tmp_path / "file", CHECKSUM)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_full_disk_is_told_at_once_and_as_such(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with serving(WHOLE) as server, pytest.raises(ConfigError, match=r"file\.part: cannot be written .*make room"):
            download([server.url], tmp_path / "file", CHECKSUM)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(server.requests) == 1
    assert os.listdir(tmp_path) == ["file.part"]


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with serving(WHOLE) as server, pytest.raises(ConfigError, match="file: cannot be written"):
        download([server.url], tmp_path / "file", CHECKSUM)
