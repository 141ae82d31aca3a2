"""What a fault is, and what is known after it was injected: data, for the tests and for the table of docs/faults.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Injection:
    """One time that a fault was injected.

    Attributes:
        lost: what the run lost by it, compared with an undisturbed one; empty: nothing.
        seconds: from the start of the same command to the first new step, or to its end if no step was left to do;
            None where nothing had to be started again.
    """

    lost: tuple[str, ...]
    seconds: float | None = None


@dataclass(frozen=True)
class Fault:
    """A fault, how it is injected, and what must come of it.

    Attributes:
        name: what happens, for people.
        how: how it is injected.
        inject: does so in an empty folder, at least so many times, and goes on with the same command after each. Raises
            Unavailable where this machine does not allow it.
        times: times for the table.
        times_in_test: times for the test suite.
        slow: a test that takes more than a few seconds.
    """

    name: str
    how: str
    inject: Callable[[Path, int], Sequence[Injection]]
    times: int = 1
    times_in_test: int = 1
    slow: bool = False

    def __str__(self) -> str:
        return self.name


class Unavailable(Exception):  # noqa: N818 - no error of the software
    """This machine does not allow a fault to be injected, for the reason given."""
