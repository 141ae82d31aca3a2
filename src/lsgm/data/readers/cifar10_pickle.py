"""The pickled batches of CIFAR-10, read without running anything that is in them.

A pickle names the functions that rebuild its objects. Here the four names that a NumPy array needs stand for inert
records, every other name is refused, and the array is made from the recorded bytes afterwards.
"""

from __future__ import annotations

import io
import pickle
from pickle import BYTEARRAY8
from typing import ClassVar

import numpy as np

from lsgm.config import ConfigError
from lsgm.data.source_files import one_line


class _DtypeRecord:
    """Stands for numpy.dtype; keeps its name."""

    def __init__(self, name: object = None, *_: object) -> None:
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Byte order and fields do not matter to single bytes."""


class _ArrayRecord:
    """Stands for numpy.ndarray and for the function that makes an empty one; keeps what pickle would set on it."""

    def __init__(self, *_: object) -> None:
        self.state: tuple[object, ...] = ()

    def __setstate__(self, state: object) -> None:
        self.state = state if isinstance(state, tuple) else ()


class _Encoder:
    """Stands for `_codecs.encode`: Python 3 writes bytes into old pickles as text.

    The text may be no longer, over all calls, than the pickle: one that is remembered can be asked for without end.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget

    def __call__(self, text: object, encoding: object = "latin1") -> bytes:
        if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
            raise pickle.UnpicklingError("unexpected text encoding")
        self._budget -= len(text)
        if self._budget < 0:
            raise pickle.UnpicklingError("more bytes than are in the file")
        return text.encode("latin1")

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("state set on a function")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _ArrayRecord,
    ("numpy._core.multiarray", "_reconstruct"): _ArrayRecord,
    ("numpy", "ndarray"): _ArrayRecord,
    ("numpy", "dtype"): _DtypeRecord,
}


class _InertUnpickler(pickle._Unpickler):
    """Pickle's reader in Python: the one in C makes room for whatever number of objects a file says it will name.

    This one makes room for a bytearray of whatever length the file says, which no batch holds.
    """

    dispatch: ClassVar = {code: load for code, load in pickle._Unpickler.dispatch.items() if code != BYTEARRAY8[0]}

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="bytes")
        self._encoder = _Encoder(len(data))

    def find_class(self, module: str, name: str) -> object:
        """Give the inert stand-in; refuse everything else."""
        if (module, name) == ("_codecs", "encode"):
            return self._encoder
        if (module, name) not in _ALLOWED:
            raise ConfigError(f"asks for {module}.{name}, which is no part of an array of images")
        return _ALLOWED[module, name]


def read_batch(data: bytes, name: str) -> np.ndarray:
    """Take the images out of one pickled batch.

    Args:
        data: the pickle.
        name: the file, for messages.

    Returns:
        uint8 (N, 3, 32, 32).

    Raises:
        ConfigError: the pickle is damaged, asks for anything but an array, or holds no images.
    """
    try:
        batch = _InertUnpickler(data).load()
    except ConfigError as error:
        raise ConfigError(f"{name}: refused: {error}; fetch the original archive") from error
    except Exception as error:  # damaged pickles raise errors of every kind
        raise ConfigError(f"{name}: damaged pickle ({one_line(error)}); fetch the original archive") from error
    record = batch.get(b"data", batch.get("data")) if isinstance(batch, dict) else None
    state = record.state if isinstance(record, _ArrayRecord) else ()
    if len(state) != 5:
        raise ConfigError(f"{name}: no array `data` in the pickle; fetch the original archive")
    _, shape, dtype, is_fortran, content = state
    is_uint8 = isinstance(dtype, _DtypeRecord) and dtype.name in ("u1", b"u1")
    is_rows = isinstance(shape, tuple) and len(shape) == 2 and shape[1] == 3 * 32 * 32 and not is_fortran
    if not (is_uint8 and is_rows and isinstance(content, bytes) and len(content) == shape[0] * shape[1]):
        raise ConfigError(f"{name}: `data` is not a uint8 array (N, 3072); fetch the original archive")
    return np.frombuffer(content, np.uint8).reshape(-1, 3, 32, 32)
