"""What a second `snakemake` in one folder is told, and what a killed one leaves behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from lsgm.cli.jobs import workflow_lock
from lsgm.cli.jobs.run_lock import this_process
from lsgm.cli.jobs.workflow_job import PROCESS
from lsgm.cli.jobs.workflow_lock import FOLDER, enter

ENTER = "import sys; from pathlib import Path; from lsgm.cli.jobs.workflow_lock import enter; enter(Path({!r}), print)"
DIE = "; import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
WAIT = "; print('here', flush=True); sys.stdin.readline()"


@pytest.fixture
def state(tmp_path, monkeypatch) -> Path:
    """Snakemake's folder with a lock in it."""
    monkeypatch.setattr(workflow_lock.atexit, "register", lambda *_: None)
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "0.output.lock").write_text("results/a\n")
    return tmp_path


def other(state: Path, end: str) -> subprocess.Popen[str]:
    """Another snakemake."""
    words = [sys.executable, "-c", ENTER.format(str(state)) + end]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said_on_entry(state: Path) -> list[str]:
    said: list[str] = []
    enter(state, said.append)
    return said


def is_locked(state: Path) -> bool:
    return any((state / "locks").iterdir())


def test_locks_of_a_killed_snakemake_are_removed(state):
    killed = other(state, DIE)
    assert killed.wait() == -signal.SIGKILL
    (line,) = said_on_entry(state)
    assert f"process {killed.pid} on " in line
    assert "was killed here; its locks are removed" in line
    assert not is_locked(state)


def test_of_a_living_one_a_line_says_so(state):
    living = other(state, WAIT)
    assert living.stdout.readline() == "here\n"
    killed = other(state, DIE)
    assert killed.wait() == -signal.SIGKILL
    (line,) = said_on_entry(state)
    assert f"process {living.pid} on " in line
    assert f"`kill {living.pid}`" in line
    assert is_locked(state)
    living.communicate("\n")


def test_of_another_machine_nothing_is_known(state):
    holder = replace(this_process(), host="another.machine", pid=1)
    (state / FOLDER).mkdir()
    (state / FOLDER / "another.machine-1.json").write_text(json.dumps(asdict(holder)))
    (line,) = said_on_entry(state)
    assert "process 1 on another.machine" in line
    assert "`snakemake --unlock`" in line
    assert is_locked(state)


def test_a_lock_of_nobody_known_is_left_to_snakemake(state):
    assert said_on_entry(state) == []
    assert is_locked(state)


def test_one_that_ends_by_itself_leaves_nothing(tmp_path):
    ended = other(tmp_path, "")
    assert ended.wait() == 0
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_job_ends_with_its_snakemake():
    """The snakemake is killed; the job, started through a shell as rules do, gets SIGTERM."""
    job = (
        "import signal, sys; from lsgm.cli.jobs.workflow_job import end_with_workflow; end_with_workflow();"
        "signal.signal(signal.SIGTERM, lambda *_: (print('asked to stop', flush=True), sys.exit(0)));"
        "print('at work', flush=True); signal.pause()"
    )
    snakemake = (
        f"import os, subprocess, sys; os.environ[{PROCESS!r}] = str(os.getpid());"
        "subprocess.run(['bash', '-c', '\"$0\" -c \"$1\"; true', sys.executable, sys.argv[1]])"
    )
    words = [sys.executable, "-c", snakemake, job]
    started = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert started.stdout.readline() == "at work\n"
    started.kill()
    assert started.stdout.read() == "asked to stop\n"
    started.wait()


def test_a_process_that_is_no_ancestor_is_not_watched(monkeypatch):
    from lsgm.cli.jobs import workflow_job

    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    monkeypatch.setenv(PROCESS, str(sleeper.pid))
    monkeypatch.setattr(workflow_job.threading, "Thread", lambda **_: pytest.fail("is watched"))
    workflow_job.end_with_workflow()
    sleeper.communicate(b"\n")
