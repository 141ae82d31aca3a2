"""Reading what `torch.save` wrote without running anything that is in it.

A pickle can call any function by its name. Here `torch.load` restricts it to tensors and plain values, and of other
names only those of an explicit list are known: `argparse.Namespace`, in which the authors' scripts keep their
arguments, and NumPy's scalars, for which stand-ins of ours are called. All else is refused by name.
"""

from __future__ import annotations

import argparse
import re
import threading
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import serialization

from lsgm.config import ConfigError

from .numpy_scalars import STAND_INS

ALLOWED = [argparse.Namespace, *STAND_INS]

ZIP = b"PK\x03\x04"
# The pickled magic number with which torch before 1.6 began, and with which it still begins where asked not to zip.
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
PICKLE = b"\x80"

_LOCK = threading.Lock()


def unpickle(path: Path) -> object:
    """Return the content of a file of `torch.save`, on the CPU; tensors of a zip stay on the disk until they are used.

    Args:
        path: the file, in the zip format or the legacy one.

    Raises:
        ConfigError: the file is absent, of another format, damaged, or would run code; one line that starts with it.
    """
    is_zip = _require_format(path) == ZIP
    if is_zip:
        _require_undamaged(path)
    try:
        with _LOCK, _only_allowed(), warnings.catch_warnings():
            # Of what torch warns, a file that is refused says more in its error.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except Exception as error:  # a damaged file can fail in any way
        raise ConfigError(f"{path}: {_reason(str(error) or type(error).__name__)}") from None


@contextmanager
def _only_allowed() -> Iterator[None]:
    """Make our list the whole list: what other code of this process has added would run here too."""
    others = serialization.get_safe_globals()
    serialization.clear_safe_globals()
    serialization.add_safe_globals(ALLOWED)
    try:
        yield
    finally:
        serialization.clear_safe_globals()
        serialization.add_safe_globals(others)


def _require_format(path: Path) -> bytes:
    if not path.is_file():
        raise ConfigError(f"{path}: no such checkpoint")
    try:
        with path.open("rb") as file:
            start = file.read(len(LEGACY))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    for known in (ZIP, LEGACY):
        if start.startswith(known):
            return known
    if start.startswith(PICKLE):
        raise ConfigError(f"{path}: a bare pickle, which could run code, not a checkpoint of torch.save; refused")
    raise ConfigError(f"{path}: not a checkpoint of torch.save, or damaged at its start")


def _require_undamaged(path: Path) -> None:
    """Verify the checksum of every record, which torch itself does not do."""
    try:
        with zipfile.ZipFile(path) as archive:
            # Torch can be asked to leave checksums out; it writes zeros then.
            has_checksums = any(record.CRC for record in archive.infolist())
            damaged = archive.testzip() if has_checksums else None
    except Exception as error:  # a damaged file can fail in any way
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: incomplete or damaged ({reason}); copy or download it again") from None
    if damaged is not None:
        raise ConfigError(
            f"{path}: damaged, the checksum of its record {damaged!r} is wrong; copy or download it again"
        )


def _reason(message: str) -> str:
    name = re.search(r"GLOBAL ([\w.]+)", message)
    if name is not None:
        return f"it names {name[1]}, neither a tensor nor a plain value, so it could run code (or is damaged); refused"
    # Torch puts advice of several lines before what happened.
    text = message.partition("WeightsUnpickler error:")[2] or message
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return f"incomplete, damaged or not written by torch.save ({first[:150]}); copy or download it again"
