"""Arrays of .npz and .npy files, read without pickle and within a size limit.

Header and length are compared before anything is allocated, so a small file that claims to be huge is refused.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from lsgm.config import ConfigError

from .source_files import MAX_ARRAY_BYTES, refusing_damage

MAX_DEFLATE_RATIO = 1040
"""Deflate makes nothing smaller than 1032 times; more is a claim that the content cannot keep."""


_HEADER = (
    re.compile(r"'descr': ?'([<>|=]?[a-zA-Z?]\d{0,9})'"),
    re.compile(r"'fortran_order': ?(True|False)\b"),
    re.compile(r"'shape': ?\(([\dL, ]{0,500})\)"),
)


def npz_keys(path: Path) -> list[str]:
    """Names of the arrays in an .npz file.

    Raises:
        ConfigError: the file cannot be read as .npz.
    """
    with refusing_damage(str(path), "an npz file"), zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


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
    with refusing_damage(str(path), "an npz file"), zipfile.ZipFile(path) as archive:
        for key in keys:
            member = archive.getinfo(f"{key}.npy")
            require_honest(member, path)
            with archive.open(member) as stream:
                arrays.append(_read_array(stream, member.file_size, f"{path} [{key}]"))
    return arrays


def require_honest(member: zipfile.ZipInfo, path: Path) -> None:
    """Refuse a member of a zip file that claims to hold more than the file can.

    Raises:
        ConfigError: its lengths are impossible, or it is packed in another way than NumPy and zip programs do.
    """
    packed, unpacked = member.compress_size, member.file_size
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ConfigError(f"{path}: {member.filename!r} is packed by method {member.compress_type}; save it anew")
    most = packed if member.compress_type == zipfile.ZIP_STORED else MAX_DEFLATE_RATIO * packed
    if packed > path.stat().st_size or unpacked > most:
        raise ConfigError(f"{path}: {member.filename!r} claims {unpacked:,} bytes, more than there can be; replace it")


def read_npy(path: Path) -> np.ndarray:
    """Read an .npy file; the array may be read-only.

    Raises:
        ConfigError: the file is absent, damaged, holds objects, or is larger than `MAX_ARRAY_BYTES`.
    """
    with refusing_damage(str(path), "an npy file"), path.open("rb") as stream:
        return _read_array(stream, path.stat().st_size, str(path))


def _read_array(stream: IO[bytes], size: int, label: str) -> np.ndarray:
    """Read one array in .npy format from a stream that holds `size` bytes."""
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):  # the others are for tables of many columns; their headers may claim 4 GiB
        raise ConfigError(f"{label}: npy format {version[0]}.{version[1]}; save plain numbers with numpy.save")
    shape, is_fortran, dtype = _header(stream, label)
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


def _header(stream: IO[bytes], label: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and type of a plain array; NumPy's own reader evaluates the header as an expression of Python."""
    (length,) = struct.unpack("<H", stream.read(2))
    text = stream.read(length).decode("latin1").strip()
    found = [part.search(text) for part in _HEADER]
    if None in found or not (text.startswith("{") and text.endswith("}")):
        raise ConfigError(f"{label}: its header is not that of an array of plain numbers; save it with numpy.save")
    descr, order, shape = (part[1] for part in found if part is not None)
    return tuple(map(int, re.findall(r"\d+", shape))), order == "True", np.dtype(descr)
