"""Files of the data root: finding them, reading them within a size limit, and their checksums.

Checksums are written `"md5:<hex>"` or `"sha256:<hex>"` throughout. Every failure is one line that names the file and
says what to do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lsgm.config import ConfigError
from lsgm.whole_file import explained, refused_by_system

from .download import download as fetch

CHUNK_BYTES = 1 << 20
MAX_ARRAY_BYTES = 16 * 2**30
"""Largest array that is read from a source; CelebA-HQ needs 5.9e9 bytes."""


def one_line(error: BaseException) -> str:
    """An exception's text without line breaks, or its type where it has none."""
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def refusing_damage(label: str, kind: str, cure: str = "replace it") -> Iterator[None]:
    """Turn whatever a decoder raises over a damaged file into one error for the user.

    Decoders are written for sound files: over others they raise errors of every kind.

    Args:
        label: the file, with what is read of it.
        kind: what it should be.
        cure: what to do.

    Raises:
        ConfigError: in place of any other error.
    """
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        refused = refused_by_system(error)
        if refused is not None:
            raise ConfigError(f"{label}: cannot be read ({explained(refused)})") from error
        raise ConfigError(f"{label}: cannot be read as {kind} ({one_line(error)}); {cure}") from error


def digest_of(data: bytes | memoryview, algorithm: str = "sha256") -> str:
    """Checksum of bytes, `"<algorithm>:<hex>"`."""
    return f"{algorithm}:{hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()}"


def checksum_of(path: Path, algorithm: str = "sha256") -> str:
    """Checksum of a file, `"<algorithm>:<hex>"`.

    Raises:
        ConfigError: the file cannot be read.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({explained(error)})") from error
    except ValueError as error:
        raise ConfigError(f"{path}: cannot be read ({one_line(error)}); replace it") from error
    return f"{algorithm}:{digest.hexdigest()}"


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """Read a whole file that must be neither empty nor longer than `max_bytes`.

    Raises:
        ConfigError: the file cannot be read, is empty, or is too long.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({explained(error)})") from error
    except ValueError as error:
        raise ConfigError(f"{path}: cannot be read ({one_line(error)}); replace it") from error
    if not data:
        raise ConfigError(f"{path}: the file is empty; replace it")
    if len(data) > max_bytes:
        raise ConfigError(f"{path}: longer than {max_bytes:,} bytes, so not the file that is expected; replace it")
    return data


def require_root(root: Path | None, title: str) -> Path:
    """Return the data root, which this data set needs.

    Raises:
        ConfigError: no data root is set.
    """
    if root is None:
        raise ConfigError(
            f"{title} is read from the data root, and none is set; set data_root in the config or LSGM_DATA"
        )
    return root


def find(root: Path, candidates: Sequence[str]) -> Path | None:
    """First of the relative paths that is a file below the data root, or None.

    Raises:
        ConfigError: a folder on the way may not be entered.
    """
    return next((root / candidate for candidate in candidates if is_file(root / candidate)), None)


def is_file(path: Path) -> bool:
    """Whether there is a file.

    Raises:
        ConfigError: that cannot be found out, since a folder on the way may not be entered.
    """
    try:
        return path.is_file()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be looked for ({explained(error)})") from error


@dataclass(frozen=True)
class SourceFile:
    """A published file.

    Attributes:
        title: the data set it belongs to, for messages.
        candidates: relative paths below the data root where it may lie; a download goes to the first.
        urls: where it is published, mirrors in order of preference.
        checksum: of the published file; None where none is known (the reader then checks what is inside).
        max_bytes: a longer file is refused.
    """

    title: str
    candidates: tuple[str, ...]
    urls: tuple[str, ...]
    checksum: str | None
    max_bytes: int

    def locate(self, root: Path, download: bool) -> Path:
        """Return where the file lies, after fetching it if it is absent and that is allowed.

        Raises:
            ConfigError: the file is absent and may not, or cannot, be fetched.
        """
        found = find(root, self.candidates)
        if found is not None:
            return found
        target = root / self.candidates[0]
        if download:
            return fetch(self.urls, target, self.checksum, max_bytes=self.max_bytes)
        checksum = f" ({self.checksum})" if self.checksum else ""
        raise ConfigError(
            f"{self.title}: {target} is absent; put the file from {self.urls[0]} there{checksum}, "
            "or prepare with --download"
        )

    def verify(self, path: Path) -> str:
        """Return the file's checksum after comparing it with the published one.

        Raises:
            ConfigError: it is another file, or a damaged one.
        """
        algorithm = self.checksum.split(":")[0] if self.checksum else "sha256"
        found = checksum_of(path, algorithm)
        if self.checksum not in (None, found):
            raise ConfigError(
                f"{path}: damaged or not the published file: checksum found {found}, expected {self.checksum}; "
                "delete it and fetch it again"
            )
        return found
