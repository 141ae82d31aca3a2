"""Downloads against a server on the loopback interface that can send ranges, break off, and lie."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lsgm.config import ConfigError
from lsgm.data.download import download

CONTENT = bytes(range(256)) * 1000
CHECKSUM = "md5:" + hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Sends CONTENT; `break_after` bytes cut the connection once, `supports_ranges` may be switched off."""

    content = CONTENT
    break_after: int | None = None
    supports_ranges = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.supports_ranges else 0
        if self.path != "/file":
            self.send_error(404)
            return
        if start >= len(server.content) and start:
            self.send_error(416)
            return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.break_after is not None:
            body, server.break_after = body[: server.break_after], None
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_whole_file_arrives_and_nothing_else_is_left(server, tmp_path):
    target = download([server.url], tmp_path / "set" / "file", CHECKSUM)
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("checksum", [CHECKSUM, None, "sha256:" + hashlib.sha256(CONTENT).hexdigest()])
def test_broken_connection_is_resumed_where_it_broke(server, tmp_path, checksum):
    server.break_after = 100_000
    target = download([server.url], tmp_path / "file", checksum)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-"]


def test_part_of_an_earlier_run_is_resumed(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:5000])
    assert download([server.url], tmp_path / "file", CHECKSUM).read_bytes() == CONTENT
    assert server.ranges == ["bytes=5000-"]


def test_whole_part_of_an_earlier_run_is_taken(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert download([server.url], tmp_path / "file", CHECKSUM).read_bytes() == CONTENT


def test_server_without_ranges_starts_over(server, tmp_path):
    server.supports_ranges = False
    (tmp_path / "file.part").write_bytes(CONTENT[:5000])
    assert download([server.url], tmp_path / "file", CHECKSUM).read_bytes() == CONTENT


@pytest.mark.parametrize("length", [10, len(CONTENT), len(CONTENT) + 5])
def test_foreign_part_is_dropped(server, tmp_path, length):
    (tmp_path / "file.part").write_bytes(b"x" * length)
    assert download([server.url], tmp_path / "file", CHECKSUM).read_bytes() == CONTENT


def test_wrong_checksum_leaves_nothing_and_names_both(server, tmp_path):
    wrong = "md5:" + "0" * 32
    with pytest.raises(ConfigError) as error:
        download([server.url], tmp_path / "file", wrong)
    assert wrong in str(error.value) and CHECKSUM in str(error.value)
    assert not list(tmp_path.iterdir())


def test_next_mirror_is_tried(server, tmp_path):
    mirrors = [server.url.replace("/file", "/absent"), "ftp://127.0.0.1/file", "http://127.0.0.1:9/file", server.url]
    assert download(mirrors, tmp_path / "file", CHECKSUM).read_bytes() == CONTENT


def test_without_network_the_error_says_what_to_put_where(tmp_path):
    with pytest.raises(ConfigError) as error:
        download(["http://127.0.0.1:9/file"], tmp_path / "file", CHECKSUM, timeout_seconds=2)
    message = str(error.value)
    assert str(tmp_path / "file") in message and CHECKSUM in message and "127.0.0.1:9" in message
    assert "\n" not in message


def test_too_long_and_empty_answers_are_refused(server, tmp_path):
    with pytest.raises(ConfigError, match="longer than 1,000 bytes"):
        download([server.url], tmp_path / "file", CHECKSUM, max_bytes=1000)
    server.content = b""
    with pytest.raises(ConfigError, match="empty"):
        download([server.url], tmp_path / "file", None)
    assert not list(tmp_path.iterdir())


def test_local_addresses_are_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    with pytest.raises(ConfigError, match="only http"):
        download([secret.as_uri()], tmp_path / "file", None)
