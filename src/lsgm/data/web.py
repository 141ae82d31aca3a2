"""One request for a file, or for what is missing of it, and what the server's answer says of itself.

Servers err: they end too soon, claim a wrong length, send another range, a web page in place of the file, or an address
that leads away from the web. What can be known before the first byte is refused here.
"""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from typing import IO
from urllib.parse import urlsplit

ALLOWED = ("http", "https")
RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class RefusedError(Exception):
    """What came is not the file; another attempt at the same mirror would bring the same."""


@dataclass
class Answer:
    """The server's answer.

    Attributes:
        start: offset in the file at which its bytes belong.
        total: length of the whole file, None if the server does not say it.
        is_complete: nothing lies beyond the offset asked for, so nothing is sent.
    """

    response: http.client.HTTPResponse | None
    start: int
    total: int | None
    is_complete: bool = False

    def read(self, limit: int) -> bytes:
        """What has come, at most so many bytes; empty at the end. Nothing is waited for that was not announced."""
        if self.response is None or self.response.length == 0:
            return b""
        return self.response.read1(limit)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirection within the web only; the standard one would follow to ftp as well."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        _require_web(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def ask(url: str, offset: int, timeout_seconds: float) -> Iterator[Answer]:
    """Ask for a file from an offset on.

    Args:
        url: http(s) address.
        offset: bytes that are there already.
        timeout_seconds: longest wait for any single answer of the network.

    Raises:
        RefusedError: no web address; or the answer is a web page, or not what was asked for.
        OSError, http.client.HTTPException, ValueError: no connection, or no sensible answer.
    """
    _require_web(url)
    request = urllib.request.Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})
    try:
        response = urllib.request.build_opener(_Redirects).open(request, timeout=timeout_seconds)
    except urllib.error.HTTPError as error:
        error.close()
        # 416: nothing lies beyond the offset, so the part is whole, or not a part of this file: the checksum decides.
        if error.code == 416 and offset:
            yield Answer(None, offset, None, is_complete=True)
            return
        raise
    with response:
        if response.headers.get_content_type() == "text/html":
            raise RefusedError("a web page was sent in its place")
        yield _answer(response, offset)


def _require_web(url: str) -> None:
    if urlsplit(url).scheme.lower() not in ALLOWED:
        raise RefusedError("only http and https addresses are fetched")


def _answer(response: http.client.HTTPResponse, offset: int) -> Answer:
    """Where the answer's bytes belong: where we asked, or at 0 from a server that sends the whole file."""
    if response.status != 206:
        return Answer(response, 0, response.length)
    told = response.headers.get("Content-Range", "")
    found = RANGE.fullmatch(told)
    if found is None or int(found[1]) != offset:
        raise RefusedError(f"asked for bytes from {offset}, was sent {told!r}")
    end = int(found[2]) + 1
    return Answer(response, offset, end if found[3] == "*" else int(found[3]))
