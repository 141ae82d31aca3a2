"""Bounds on what a reader may take: memory, by the address space of this process, and time."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

try:
    import resource
except ImportError:  # no such limits there
    resource = None

EXTRA_BYTES = 2**30
SECONDS = 60.0
STATISTICS = Path("/proc/self/statm")


class EndlessError(BaseException):
    """No Exception: readers turn those of their decoders into errors for the user."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise EndlessError(f"not read after {SECONDS:g} s")


@contextmanager
def bounded() -> Iterator[None]:
    """Let the block take one GiB more than the process has, and a minute: far from what the small files here need."""
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    has_limit = resource is not None and STATISTICS.exists()
    if has_limit:
        old = resource.getrlimit(resource.RLIMIT_AS)
        used = int(STATISTICS.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + EXTRA_BYTES, old[1]))
    try:
        yield
    finally:
        if has_limit:
            resource.setrlimit(resource.RLIMIT_AS, old)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
