"""Arrays of .npz and .npy files, read without pickle and within a size limit.

Header and length are compared before anything is allocated, so a small file that claims to be huge is refused.
"""

from __future__ import annotations

import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from lsgm.config import ConfigError

from .source_files import MAX_ARRAY_BYTES, one_line

_DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    RuntimeError,  # zip members that are encrypted or packed in an unknown way
    MemoryError,
    SyntaxError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)


def npz_keys(path: Path) -> list[str]:
    """Names of the arrays in an .npz file.

    Raises:
        ConfigError: the file cannot be read as .npz.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except _DAMAGE as error:
        raise ConfigError(f"{path}: cannot be read as an npz file ({one_line(error)}); replace it") from error


def read_npz(path: Path, keys: Sequence[str]) -> list[np.ndarray]:
    """Read the named arrays of an .npz file; those returned may be read-only.

    Raises:
        ConfigError: the file is damaged, lacks a key, holds objects, or is larger than `MAX_ARRAY_BYTES`.
    """
    present = npz_keys(path)
    for key in keys:
        if key not in present:
            raise ConfigError(f"{path}: no array {key!r}; the file holds {', '.join(sorted(present)) or 'none'}")
    arrays = []
    try:
        with zipfile.ZipFile(path) as archive:
            for key in keys:
                size = archive.getinfo(f"{key}.npy").file_size
                with archive.open(f"{key}.npy") as stream:
                    arrays.append(_read_array(stream, size, f"{path} [{key}]"))
    except ConfigError:
        raise
    except _DAMAGE as error:
        raise ConfigError(f"{path}: damaged npz file ({one_line(error)}); replace it") from error
    return arrays


def read_npy(path: Path) -> np.ndarray:
    """Read an .npy file; the array may be read-only.

    Raises:
        ConfigError: the file is absent, damaged, holds objects, or is larger than `MAX_ARRAY_BYTES`.
    """
    try:
        with path.open("rb") as stream:
            return _read_array(stream, path.stat().st_size, str(path))
    except ConfigError:
        raise
    except _DAMAGE as error:
        raise ConfigError(f"{path}: cannot be read as an npy file ({one_line(error)}); replace it") from error


def _read_array(stream: IO[bytes], size: int, label: str) -> np.ndarray:
    """Read one array in .npy format from a stream that holds `size` bytes."""
    version = np.lib.format.read_magic(stream)
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in headers:
        raise ConfigError(f"{label}: npy format {version[0]}.{version[1]}; save plain numbers with numpy.save")
    shape, is_fortran, dtype = headers[version](stream)
    if dtype.hasobject:
        raise ConfigError(f"{label}: holds Python objects, which are never loaded; save a uint8 array")
    num_bytes = math.prod(shape) * dtype.itemsize
    if num_bytes > MAX_ARRAY_BYTES:
        raise ConfigError(f"{label}: {num_bytes:,} bytes; at most {MAX_ARRAY_BYTES:,} are read")
    if num_bytes != size - stream.tell():
        raise ConfigError(f"{label}: {size - stream.tell():,} bytes of data, its header says {num_bytes:,}; replace it")
    data = stream.read(num_bytes)
    if len(data) != num_bytes:
        raise ConfigError(f"{label}: ends after {len(data):,} of {num_bytes:,} bytes; replace it")
    array = np.frombuffer(data, dtype=dtype)
    return array.reshape(shape[::-1]).T if is_fortran else array.reshape(shape)
