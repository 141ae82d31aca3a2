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
    """Context in which stop signals are kept for the loop to see.

    SIGTERM may come several times: a batch system sends it to every process of a job, and `srun` and `torchrun` pass
    their own on. Whoever is in a hurry has SIGKILL; or types Ctrl-C twice, since a second SIGINT acts as it did before,
    except in a process group.

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
        if number == signal.SIGINT and distributed.size() == 1:
            signal.signal(number, self._previous.pop(number))

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
