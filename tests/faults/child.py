"""A verb of `lsgm` in a process of its own that can be killed, with torch imported before it starts."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "lsgm.cli.main",
        "lsgm.cli.records.training_run",
        "lsgm.training",
        "lsgm.data",
        "sklearn.datasets",
        "torch.utils.tensorboard",
    ]
)
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 300.0


class Verb:
    """One start of `lsgm WORDS`.

    Args:
        words: the command line.
        log: file that receives what it prints.
        before: called in the process before the verb.
    """

    def __init__(self, words: Sequence[str], log: Path, before: Callable[[], None] | None = None) -> None:
        log.write_bytes(b"")
        self._log = log
        self._process = CONTEXT.Process(target=_run, args=(list(words), log, before), daemon=True)
        self._process.start()
        self.started = time.monotonic()

    @property
    def text(self) -> str:
        """What it has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def seconds_until(self, said: str, limit: float = PATIENCE_SECONDS) -> float | None:
        """Seconds from the start until it has printed a text; None if it ended, or the time was up, before that."""
        while True:
            has_ended = self._process.exitcode is not None
            if said in self.text:
                return time.monotonic() - self.started
            if has_ended or time.monotonic() - self.started > limit:
                return None
            time.sleep(LOOK_SECONDS)

    def kill_after(self, seconds: float) -> bool:
        """SIGKILL so many seconds after the start; whether it was still there."""
        self._process.join(max(0.0, seconds - (time.monotonic() - self.started)))
        is_there = self._process.exitcode is None
        self.kill()
        return is_there

    def end(self) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        self._process.join(PATIENCE_SECONDS)
        if self._process.exitcode is None:
            self.kill()
            raise AssertionError(f"no end: {self.text}")
        return self._process.exitcode

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.join()


def _run(words: list[str], log: Path, before: Callable[[], None] | None) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    # Of the fork server, which ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import torch

    from lsgm.cli.main import main

    torch.set_num_threads(1)
    if before is not None:
        before()
    code = 1
    try:
        code = main(words)
    finally:
        os._exit(code)
