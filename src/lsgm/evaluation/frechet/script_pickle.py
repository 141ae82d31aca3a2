"""The pickles of a TorchScript archive, read without running anything that is in them, before torch reads them.

Torch's own reader of these files calls no Python functions either, but it believes what they say of their tensors: one
that claims more numbers than its record has shows what else is in memory, and one of absurd size asks for the memory.
So everything that a tensor consists of is compared with the records of the archive.
"""

from __future__ import annotations

import io
import math
import pickle

from lsgm.config import ConfigError
from lsgm.data.source_files import one_line

CURE = "get the file again"
# Bytes of one number.
STORAGES = {
    **{"DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2},
    **{"LongStorage": 8, "IntStorage": 4, "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1},
}
MODULES = ("__torch__",)
LISTS = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist", "restore_type_tag")


class _Refused(pickle.UnpicklingError):
    """No state is set on what stands in for a name."""


class _Object:
    """Stands for an object of a class of the archive's code; its state is read and dropped."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        """Nothing is kept."""


class _StandIn:
    """Stands for a function: gives one thing, whatever it is called with."""

    __slots__ = ("_check",)

    def __init__(self, check: object = None) -> None:
        self._check = check

    def __call__(self, *arguments: object) -> object:
        if callable(self._check):
            self._check(*arguments)
        return _Object()

    def __setstate__(self, state: object) -> None:
        raise _Refused("state set on a function")


class _Storage:
    """Numbers of one record."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: int) -> None:
        self.numbers = numbers

    def __setstate__(self, state: object) -> None:
        raise _Refused("state set on a tensor")


class _Memo(dict[int, object]):
    """What a pickle remembers, by numbers: torch makes room for as many as the largest says."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def __setitem__(self, number: int, value: object) -> None:
        if number > self._limit:
            raise _Refused(f"an object is remembered as number {number:,}")
        super().__setitem__(number, value)


class _Reader(pickle._Unpickler):
    """Pickle's reader in Python: the one in C makes room for whatever number of objects a file says it will name."""

    def __init__(self, content: bytes, folder: str, sizes: dict[str, int]) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")
        self.memo = _Memo(len(content))
        self._folder = folder
        self._sizes = sizes

    def find_class(self, module: str, name: str) -> object:
        """Give the inert stand-in; refuse everything else."""
        if module.split(".")[0] in MODULES:
            return _Object
        if module == "torch" and name in STORAGES:
            return name
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _StandIn(_require_within)
        if (module == "torch.jit._pickle" and name in LISTS) or (module, name) == ("collections", "OrderedDict"):
            return _StandIn()
        raise ConfigError(f"it names {module}.{name}, which is no part of a network")

    def persistent_load(self, pid: object) -> object:
        """Compare the numbers that a tensor claims with its record."""
        if not (isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage"):
            raise _Refused("a tensor without a record")
        _, kind, key, _, numbers = pid
        record = f"{self._folder}/{key}"
        if not (isinstance(key, str) and kind in STORAGES and _is_count(numbers)):
            raise _Refused("a tensor whose record is not told")
        if numbers * STORAGES[kind] != self._sizes.get(record, 0 if numbers == 0 else -1):
            found = self._sizes.get(record)
            told = "absent" if found is None else f"of {found:,} bytes"
            raise _Refused(f"a tensor of {numbers} numbers ({kind}), whose record {record} is {told}")
        return _Storage(numbers)


def require_tensors_only(content: bytes, label: str, folder: str, sizes: dict[str, int]) -> None:
    """Refuse a pickle that names anything but classes of the archive and tensors that the archive holds.

    Args:
        content: the pickle.
        label: the file and its record, for messages.
        folder: where its tensors' numbers lie in the archive.
        sizes: bytes of each such record, by its name.

    Raises:
        ConfigError: it is damaged, or names something else.
    """
    try:
        _Reader(content, folder, sizes).load()
    except ConfigError as error:
        raise ConfigError(f"{label}: refused: {error}; {CURE}") from error
    except Exception as error:  # damaged pickles raise errors of every kind
        raise ConfigError(f"{label}: damaged ({one_line(error)}); {CURE}") from error


def _require_within(*told: object) -> None:
    """A tensor (storage, offset, size, stride, ...) must lie within its numbers, and have no more of them."""
    storage, offset, size, stride = (*told, None, None, None, None)[:4]
    shapes = isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride)
    if not (isinstance(storage, _Storage) and shapes and _is_count(offset, *size, *stride)):
        raise _Refused("a tensor without a shape")
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if math.prod(size) > storage.numbers or (math.prod(size) > 0 and last >= storage.numbers):
        raise _Refused(f"a tensor of shape {size} in {storage.numbers} numbers")


def _is_count(*values: object) -> bool:
    return all(isinstance(value, int) and 0 <= value < 2**62 for value in values)
