"""What is fuzzed: one reader, sound files for it, and the property that every file must satisfy.

A reader either reads a file, and then what it gives is what its documentation says, or raises ConfigError with one
printable line that names the file. Anything else - another exception, too much memory, no end - is a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fuzz.bounds import bounded

from lsgm.config import ConfigError

MAX_LINE = 2500


def as_it_is(data: bytes) -> bytes:
    return data


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes:
        name: as shown.
        file_name: what the file must be called.
        samples: sound contents, small, so that changes hit what matters.
        read: reads the file and asserts what must hold of the result.
        wrap: packs changed content so that outer checksums are right: otherwise nothing passes them.
        is_text: whether words are changed, too.
        examples: fewer for slow readers; half as many in the tests, 50 at most in a round of the long run.
        attacks: whole files that try something in particular.
    """

    name: str
    file_name: str
    samples: tuple[bytes, ...]
    read: Callable[[Path], object]
    wrap: Callable[[bytes], bytes] = as_it_is
    is_text: bool = False
    examples: int = 100
    attacks: tuple[bytes, ...] = ()


def outcome(target: Target, content: bytes, folder: Path) -> str | None:
    """Put a file where the reader looks for it; the message with which it is refused, None if it is read."""
    path = folder / target.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    try:
        with bounded():
            target.read(path)
    except ConfigError as error:
        require_one_line(error, path.name)
        return str(error)
    return None


def require_one_line(error: ConfigError, name: str) -> None:
    message = str(error)
    assert message.isprintable(), message
    assert name in message, f"{name} is not named: {message}"
    assert len(message) < MAX_LINE, f"{len(message)} characters"
    cause: BaseException | None = error
    while cause is not None:
        assert not isinstance(cause, MemoryError) and "allocate memory" not in str(cause), f"memory: {cause!r}"
        cause = cause.__cause__ or cause.__context__
