"""A server on the loopback interface that answers with any bytes at all, whether they are HTTP or not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class RawServer:
    """Sends one answer per connection, the last one again and again, and closes.

    Args:
        answers: what to send.
        holds: whether connections are kept open after the answer, as by a server that never closes.
    """

    def __init__(self, answers: Sequence[bytes] = (b"",), holds: bool = False) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self._holds = holds
        self._held: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/file"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        # Wakes the thread that waits for a connection, which closing alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._held:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            try:
                self._answer(connection)
            except OSError:  # the client has had enough
                connection.close()

    def _answer(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request and (more := connection.recv(65536)):
            request += more
        self.requests.append(request)
        connection.sendall(self.answers[0] if len(self.answers) == 1 else self.answers.pop(0))
        if self._holds:
            self._held.append(connection)
        else:
            connection.close()


@contextmanager
def serving(*answers: bytes, holds: bool = False) -> Iterator[RawServer]:
    """A server for as long as the block lasts."""
    server = RawServer(answers, holds)
    try:
        yield server
    finally:
        server.close()


def http(body: bytes, *headers: str, status: str = "200 OK", length: int | None = -1) -> bytes:
    """An answer; `length` is what it claims, -1 the truth, None nothing."""
    claimed = len(body) if length == -1 else length
    lines = [f"HTTP/1.1 {status}", *([] if claimed is None else [f"Content-Length: {claimed}"]), *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body
