"""What the processes of the tests on stops do: one of them alone gets a signal, or sees the end of the time slot."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from training.small_run import Recorder, blocks, folder, pretrain_settings, run_config

from lsgm import distributed
from lsgm.config import ConfigError
from lsgm.training import Deadline, Interrupted, StopRequest, pretrain


def _run(path: Path, name: str, recorder: Recorder, deadline: Deadline | None = None) -> tuple[str, list[int]]:
    """How the run ended, and the steps that this process has done."""
    work = distributed.on_first(lambda: folder(path, name))
    config = run_config(pretrain=pretrain_settings())
    try:
        with StopRequest(deadline) as stop:
            pretrain(config, blocks(), work, reporter=recorder, stop=stop)
    except (Interrupted, ConfigError) as end:
        return f"{type(end).__name__}: {end}", recorder.steps
    return "", recorder.steps


def _is_last() -> bool:
    return distributed.rank() == distributed.size() - 1


def everything(path: Path) -> dict[str, tuple[str, list[int]]]:
    """Each of the ways in which one process ends all."""
    signalled = Recorder(lambda step: os.kill(os.getpid(), signal.SIGUSR2) if _is_last() and step == 2 else None)
    clock = [0.0]

    def forward(step: int) -> None:
        clock[0] = 100.0 if step == 3 else 0.0

    late = Deadline(50.0, "the last process's time", lambda: clock[0]) if _is_last() else Deadline()
    over = Deadline(time.monotonic(), "the last process's time") if _is_last() else Deadline()
    return {
        "signal": _run(path, "signal", signalled),
        "deadline": _run(path, "deadline", Recorder(forward), late),
        "too short": _run(path, "short", Recorder(), over),
    }
