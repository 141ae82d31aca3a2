"""Polite stops: SIGTERM or SIGINT ends the run after the current step, with a checkpoint."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

from lsgm import distributed

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):  # noqa: N818 - a stop that was asked for is no error
    """The run was told to stop, and has saved itself; started again it goes on."""


class StopRequest:
    """Context in which the first stop signal is kept for the loop to see; a second one acts as it did before.

    In a process group later ones are kept, too: a batch system and `torchrun` both pass the first one on, and whoever
    is in a hurry has SIGKILL.

    Outside the main thread, where Python does not allow signal handlers, it never becomes true.

    Attributes:
        requested: whether a signal has come.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        if distributed.size() == 1:
            self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
