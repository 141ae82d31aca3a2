"""What is compared with what: data, so that it can be checked for gaps without running anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .vectors import Value, Vectors


@dataclass(frozen=True)
class Match:
    """A result that is not simply compared with the array of its name within the usual tolerance.

    Attributes:
        ours: the result.
        theirs: what it is compared with; None: the value of the file.
        tolerance: largest deviation; None: the usual one.
        sizes: what the deviation of each element is relative to; None: see `comparison`.
        precision: of the published computation, f64 or f32, or `method` where a numerical method and not rounding
            limits the agreement; None: that of the value's name or type.
        published: how far the published value is from `theirs`, for the report.
    """

    ours: Value
    theirs: Value = None
    tolerance: float | None = None
    sizes: Sequence[float] | None = None
    precision: str | None = None
    published: float | None = None


@dataclass(frozen=True)
class Case:
    """Values of one file that one computation gives.

    Attributes:
        file: stem of the file.
        name: what is computed, for people.
        keys: regular expression of the full names of the values that it is compared with.
        compute: gives ours for every one of these.
        switches: parity switches that are on.
        elementwise: each element is compared at its own size, not at that of the largest; for functions of time.
        note: what a reader of the report must know.
    """

    file: str
    name: str
    keys: str
    compute: Callable[[Vectors], Mapping[str, Value | Match]]
    switches: tuple[str, ...] = ()
    elementwise: bool = False
    note: str = ""

    def claims(self, name: str) -> bool:
        """Whether this value of the file is compared."""
        return re.fullmatch(self.keys, name) is not None

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


@dataclass(frozen=True)
class Exclusion:
    """Values that are not compared.

    Attributes:
        file: regular expression of stems.
        keys: regular expression of full names of values.
        reason: why.
    """

    file: str
    keys: str
    reason: str

    def claims(self, file: str, name: str) -> bool:
        """Whether this value is meant."""
        return re.fullmatch(self.file, file) is not None and re.fullmatch(self.keys, name) is not None
