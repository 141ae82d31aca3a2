"""Standard output and error that cannot end a command after its work is done.

A character that the terminal's encoding lacks is written as its escape. A stream that is closed, full, or whose
terminal is gone takes nothing more; the command goes on, and what could not be written decides the exit code only
where output is all that the command is for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


class SafeStream:
    """A text stream that remembers its first error instead of raising it; all else is the stream's own.

    Attributes:
        error: why something could not be written; None if all was.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | ValueError | None = None
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Write a text, unless an earlier one could not be written."""
        if self.error is None:
            try:
                self._stream.write(text)
            except (OSError, ValueError) as error:
                self.error = error
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        if self.error is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self.error = error

    def abandon(self) -> None:
        """Send what is still buffered nowhere, so that the end of the process does not try again."""
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def safe_streams() -> Iterator[SafeStream]:
    """Let standard output and error fail without a word inside the block; gives the output."""
    # A file that is opened later must not take the place of a closed stream: prints would end in it.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    before = sys.stdout, sys.stderr
    streams = [SafeStream(open(os.devnull, "w") if stream is None else stream) for stream in before]  # noqa: SIM115
    sys.stdout, sys.stderr = streams
    try:
        yield streams[0]
    finally:
        for stream in streams:
            stream.flush()
            if stream.error is not None:
                stream.abandon()
        sys.stdout, sys.stderr = before
