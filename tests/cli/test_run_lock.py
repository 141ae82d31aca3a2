"""One training at a time in one folder, also where the system's locks do not reach from machine to machine."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from lsgm.cli.jobs import run_lock
from lsgm.cli.jobs.run_lock import SILENT_SECONDS, Holder, take
from lsgm.config import ConfigError

ELSEWHERE = Holder(pid=1, host="another.machine", since="2026-01-01 00:00:00+00:00")


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self, on_sleep=lambda: None) -> None:
        self.now = 0.0
        self._on_sleep = on_sleep

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._on_sleep()


def left_behind(path, holder=ELSEWHERE) -> None:
    path.write_text(json.dumps(asdict(holder)))


def test_the_second_is_refused_in_one_line_and_not_after_the_first_has_ended(tmp_path):
    with take(tmp_path / "lock", "out"):
        expected = rf"^out: process {os.getpid()} on .* is at work on it; .*kill {os.getpid()}.*\Z"
        with pytest.raises(ConfigError, match=expected):
            take(tmp_path / "lock", "out")
    with take(tmp_path / "lock", "out"):
        pass


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path):
    code = (
        "import sys, os, signal; from pathlib import Path; from lsgm.cli.jobs.run_lock import take\n"
        "lock = take(Path(sys.argv[1]), 'out'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "lock")], check=False)
    assert done.returncode == -9
    assert json.loads((tmp_path / "lock").read_text())["pid"] > 0
    with take(tmp_path / "lock", "out"):
        pass


def test_patience_waits_for_the_end_of_the_first(tmp_path):
    first = take(tmp_path / "lock", "out")
    clock = Clock(lambda: first.__exit__(None, None, None) if clock.now == 3.0 else None)
    with take(tmp_path / "lock", "out", patience=10.0, clock=clock, sleep=clock.sleep):
        assert clock.now == 3.0


def test_patience_has_an_end(tmp_path):
    clock = Clock()
    with take(tmp_path / "lock", "out"), pytest.raises(ConfigError, match="is at work"):
        take(tmp_path / "lock", "out", patience=10.0, clock=clock, sleep=clock.sleep)
    assert clock.now == 10.0


def test_another_machine_that_is_still_for_a_minute_has_ended(tmp_path):
    left_behind(tmp_path / "lock")
    clock = Clock()
    with take(tmp_path / "lock", "out", clock=clock, sleep=clock.sleep):
        assert clock.now == SILENT_SECONDS


def test_another_machine_that_moves_is_at_work(tmp_path):
    path = tmp_path / "lock"
    left_behind(path)
    clock = Clock(lambda: os.utime(path, ns=(0, 10**9)) if clock.now == 15.0 else None)
    with pytest.raises(ConfigError, match=r"process 1 on another\.machine .* is at work"):
        take(path, "out", clock=clock, sleep=clock.sleep)
    assert clock.now == 15.0


def test_a_holder_says_every_now_and_then_that_it_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(run_lock, "BEAT_SECONDS", 0.01)
    path = tmp_path / "lock"
    with take(path, "out"):
        os.utime(path, ns=(0, 0))
        for _ in range(1000):
            if path.stat().st_mtime_ns > 0:
                break
            run_lock.time.sleep(0.01)
        assert path.stat().st_mtime_ns > 0


@pytest.mark.parametrize("lives", [True, False])
def test_a_file_system_without_locks(tmp_path, monkeypatch, lives):
    def none(*_):
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    monkeypatch.setattr(run_lock, "is_running", lambda pid: lives)
    me = run_lock.this_process()
    left_behind(tmp_path / "lock", Holder(12345, me.host, me.since, "678"))
    if lives:
        with pytest.raises(ConfigError, match=r"process 12345 on .* Slurm job 678\) is at work .*scancel 678"):
            take(tmp_path / "lock", "out")
    else:
        with take(tmp_path / "lock", "out"):
            pass
