"""Numbers of NumPy inside a pickle, read without NumPy's own reconstructors.

The best scores in a checkpoint may be NumPy scalars: a type, and the bytes of one number. What NumPy would build from
such a record can be an arbitrary object; these stand-ins build a Python number, and refuse all but the plain types.
"""

from __future__ import annotations

import struct
from pickle import UnpicklingError

FORMATS = {
    **{"b1": "?", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q"},
    **{"f2": "e", "f4": "f", "f8": "d"},
}
"""Code of a numeric type -> the letter that `struct` has for it."""

ORDERS = {"<": "<", ">": ">", "|": "=", "=": "="}


class ScalarType:
    """Stands in for `numpy.dtype`.

    Args:
        code: of a numeric type, such as `f8`.
        align: of no meaning for a number.
        copy: of no meaning for a number.

    Raises:
        UnpicklingError: the type is not one of plain numbers.
    """

    def __init__(self, code: str, align: object = False, copy: object = False):
        if code not in FORMATS:
            raise UnpicklingError(f"a NumPy scalar of type {code!r}, which is not a plain number")
        self.format = FORMATS[code]

    def __setstate__(self, state: tuple[object, ...]) -> None:
        """Take the byte order, the second entry of what NumPy stores beside the code."""
        self.format = ORDERS[str(state[1])] + self.format


def number(kind: ScalarType, data: bytes) -> float:
    """Return one number; stands in for `numpy.core.multiarray.scalar`.

    Args:
        kind: its type.
        data: its bytes.
    """
    (value,) = struct.unpack(kind.format, data)
    return value


STAND_INS = [
    (ScalarType, "numpy.dtype"),
    (number, "numpy.core.multiarray.scalar"),
    (number, "numpy._core.multiarray.scalar"),
]
"""Pairs of an object of ours and the name that it is found under."""
