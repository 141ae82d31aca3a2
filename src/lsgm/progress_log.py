"""How far a long measurement is, by Python's `logging`: nothing is shown unless someone listens, as the verbs do.

Trainings tell more, and often (`lsgm.training.progress`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

LOGGER = logging.getLogger("lsgm.progress")
PAUSE = 60.0  # seconds between two lines of a loop


def told(items: Sequence[T], what: str) -> Iterator[T]:
    """Go through items, and say at most once a minute how many are done and how long the others will take.

    Args:
        items: to go through; each is taken to last as long as the mean of those before it.
        what: they are, in the plural.
    """
    started = said = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - said >= PAUSE:
            said, passed = now, now - started
            left = passed / done * (len(items) - done)
            LOGGER.info("%s: %d of %d in %.0f s, about %.0f s left", what, done, len(items), passed, left)
        yield item


@contextmanager
def shown(prefix: str) -> Iterator[None]:
    """Show these lines on standard error for the time of the context.

    Args:
        prefix: what each line begins with.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(f"{prefix}: %(message)s"))
    level, propagate = LOGGER.level, LOGGER.propagate
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
        LOGGER.propagate = propagate
