"""Numeric matrices of MATLAB 5 files, every length checked before it is used.

SciPy's reader is written for trusted files: a damaged one can end the process instead of raising an error. A file is
a header of 128 bytes and then elements: a type, a size, and content; a variable is an element `MATRIX`, or one
`COMPRESSED` that unpacks to it, made of the elements flags, dimensions, name and values.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lsgm.config import ConfigError

from .source_files import read_bytes, refusing_damage

HEADER_BYTES = 128
MAX_FILE_BYTES = 2**28
MATRIX = 14
COMPRESSED = 15
PREFIX_BYTES = 4096
"""Enough of a variable to read its name and dimensions."""

_VALUES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_NUMERIC_CLASSES = range(6, 16)
_CLASSES_WITH_DIMENSIONS = range(1, 17)
_COMPLEX_FLAG = 0x0800


@dataclass(frozen=True)
class _Element:
    kind: int
    start: int
    size: int
    end: int


@dataclass(frozen=True)
class _Variable:
    name: str
    shape: tuple[int, ...]
    is_real_numeric: bool
    values_at: int


def read_matrix(path: Path, key: str, shape: tuple[int, int]) -> np.ndarray:
    """Read one real matrix whose shape is known.

    Args:
        path: MATLAB 5 file, compressed or not.
        key: name of the variable.
        shape: the shape that it must have.

    Returns:
        float64 array of `shape`.

    Raises:
        ConfigError: the file is absent or damaged, or the variable is absent, of another shape, or not numeric.
    """
    data = read_bytes(path, MAX_FILE_BYTES)
    with refusing_damage(str(path), "a MATLAB 5 file"):
        return _find(data, key, shape, path)


def _find(data: bytes, key: str, shape: tuple[int, int], path: Path) -> np.ndarray:
    order = {b"IM": "<", b"MI": ">"}.get(data[126:HEADER_BYTES])
    if order is None or data[124:126] not in (b"\x00\x01", b"\x01\x00"):
        raise ValueError("no header of such a file")
    limit = 8 * math.prod(shape) + PREFIX_BYTES
    names = []
    for element in _elements(data, order):
        content = data[element.start : element.start + min(element.size, PREFIX_BYTES)]
        if element.kind == COMPRESSED:
            content = _inflated_matrix(data[element.start : element.end], order, PREFIX_BYTES)
        elif element.kind != MATRIX:
            continue
        variable = _describe(content, order)
        names.append(variable.name)
        if variable.name != key:
            continue
        if variable.shape != shape:
            raise ConfigError(f"{path}: matrix {key!r} has shape {variable.shape}, expected {shape}; replace the file")
        if not variable.is_real_numeric:
            raise ConfigError(f"{path}: {key!r} is not a matrix of real numbers; replace the file")
        if element.kind == COMPRESSED:
            whole = _inflated_matrix(data[element.start : element.end], order, limit)
        else:
            whole = data[element.start : element.start + element.size]
        return _values(whole, variable, order)
    raise ConfigError(f"{path}: no matrix {key!r}; the file holds {', '.join(names) or 'none'}")


def _element(data: bytes, start: int, order: str) -> _Element:
    """Read the tag at `start`; sizes up to 4 bytes may be packed into the tag itself."""
    (word,) = struct.unpack_from(f"{order}I", data, start)
    if word >> 16:
        if word >> 16 > 4:
            raise ValueError("damaged element")
        return _Element(word & 0xFFFF, start + 4, word >> 16, start + 8)
    (size,) = struct.unpack_from(f"{order}I", data, start + 4)
    padding = 0 if word == COMPRESSED else -size % 8
    return _Element(word, start + 8, size, start + 8 + size + padding)


def _elements(data: bytes, order: str) -> Iterator[_Element]:
    start = HEADER_BYTES
    while start < len(data):
        element = _element(data, start, order)
        if element.start + element.size > len(data):
            raise ValueError("an element runs beyond the end of the file")
        yield element
        start = element.end


def _inflated_matrix(packed: bytes, order: str, limit: int) -> bytes:
    """Content of the matrix inside a compressed element, `limit` bytes of it at most."""
    unpacked = zlib.decompressobj().decompress(packed, limit)
    element = _element(unpacked, 0, order)
    if element.kind != MATRIX:
        raise ValueError("a compressed element that is no variable")
    return unpacked[element.start : element.start + element.size]


def _describe(content: bytes, order: str) -> _Variable:
    flags = _element(content, 0, order)
    (word,) = struct.unpack_from(f"{order}I", content, flags.start)
    if word & 0xFF not in _CLASSES_WITH_DIMENSIONS:
        return _Variable("(object)", (), False, 0)
    dimensions = _element(content, flags.end, order)
    if dimensions.size % 4 or not 8 <= dimensions.size <= 128:
        raise ValueError("damaged dimensions")
    shape = struct.unpack_from(f"{order}{dimensions.size // 4}i", content, dimensions.start)
    name = _element(content, dimensions.end, order)
    text = content[name.start : name.start + name.size].decode("latin1")
    if not text.isprintable():
        raise ValueError("damaged name")
    is_real_numeric = word & 0xFF in _NUMERIC_CLASSES and not word & _COMPLEX_FLAG
    return _Variable(text, shape, is_real_numeric, name.end)


def _values(content: bytes, variable: _Variable, order: str) -> np.ndarray:
    values = _element(content, variable.values_at, order)
    if values.kind not in _VALUES:
        raise ValueError(f"values of unknown type {values.kind}")
    dtype = np.dtype(order + _VALUES[values.kind])
    count = math.prod(variable.shape)
    if values.size != count * dtype.itemsize or values.start + values.size > len(content):
        raise ValueError(f"{variable.name!r} holds fewer values than its shape {variable.shape} needs")
    array = np.frombuffer(content, dtype, count, values.start)
    return array.reshape(variable.shape, order="F").astype(np.float64)
