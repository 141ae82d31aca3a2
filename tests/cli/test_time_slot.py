"""How long a training may go on: `--minutes`, the Slurm job around it; found by the first process alone."""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli.chain import settings

from lsgm.cli.jobs import process_start, slurm_job, time_slot
from lsgm.cli.main import main
from lsgm.config import ConfigError

# Seconds that the process has taken to start, and may take to end.
START, END = 30.0, 15.0
VARIABLES = ("SLURM_JOB_ID", "SLURM_JOB_END_TIME")


@pytest.fixture(autouse=True)
def no_job(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(process_start, "seconds_since_start", lambda: START)


def squeue(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Slurm job whose squeue is a shell script."""
    (folder / "squeue").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("SLURM_JOB_ID", "17")


def deadline(minutes: float | None = None):
    return time_slot.deadline(argparse.Namespace(verb="train", minutes=minutes))


def test_without_anything_there_is_no_end():
    assert math.isinf(deadline().left)


def test_minutes_count_from_the_start_of_the_process_with_a_reserve():
    found = deadline(10.0)
    assert found.left == pytest.approx(600 - 6 - START - END, abs=1)
    assert found.source == "--minutes 10"
    assert deadline(6000.0).left == pytest.approx(360_000 - 60 - START - END, abs=1), "the reserve is a minute at most"


@pytest.mark.parametrize("minutes", [0.0, -1.0, math.nan, math.inf])
def test_no_length_of_time(minutes):
    with pytest.raises(ConfigError, match=r"^--minutes .*: must be more than 0"):
        deadline(minutes)


def test_minutes_that_are_no_number(capsys):
    with pytest.raises(SystemExit) as end:
        main(["train", *settings("mnist"), "--minutes", "soon"])
    assert end.value.code == 2
    assert "--minutes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("59", 59), ("2:05", 125), ("1:00:01", 3601), ("2-03:04:05", 2 * 86400 + 3 * 3600 + 4 * 60 + 5)],
)
def test_the_job_says_how_much_is_left(tmp_path, monkeypatch, text, seconds):
    squeue(tmp_path, f'[ "$*" = "--noheader --jobs=17 --format=%L" ] && echo {text}', monkeypatch)
    found = deadline()
    assert found.left == pytest.approx(seconds - END, abs=1)
    assert found.source == "time limit of Slurm job 17"


def test_the_earlier_end_counts(tmp_path, monkeypatch):
    squeue(tmp_path, "echo 10:00", monkeypatch)
    assert deadline(5.0).source == "--minutes 5"
    assert deadline(15.0).source == "time limit of Slurm job 17"


def test_what_slurm_has_told_the_job_is_not_asked_again(tmp_path, monkeypatch):
    squeue(tmp_path, f"touch {tmp_path}/asked", monkeypatch)
    monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 500))
    assert deadline().left == pytest.approx(500 - END, abs=2)
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("text", ["UNLIMITED", "NOT_SET"])
def test_a_job_without_a_limit(tmp_path, monkeypatch, capsys, text):
    squeue(tmp_path, f"echo {text}", monkeypatch)
    assert math.isinf(deadline().left)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", "Invalid job id specified"),
        ("exit 3", "squeue: exit code 3"),
        ("echo INVALID", "squeue says 'INVALID'"),
        ("echo 0:00", "by now it should have ended"),
    ],
)
def test_an_end_that_is_not_known_is_a_note(tmp_path, monkeypatch, capsys, script, reason):
    squeue(tmp_path, script, monkeypatch)
    assert math.isinf(deadline().left)
    note = capsys.readouterr().err
    assert note.count("\n") == 1 and note.startswith("lsgm train: note: when Slurm job 17 ends is not known")
    assert reason in note


def test_no_squeue_and_no_answer_are_notes(tmp_path, monkeypatch, capsys):
    squeue(tmp_path, "exec sleep 60", monkeypatch)
    monkeypatch.setattr(slurm_job, "PATIENCE_SECONDS", 0.05)
    assert math.isinf(deadline().left)
    assert "no answer from squeue" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert math.isinf(deadline(None).left)
    assert "squeue: No such file or directory" in capsys.readouterr().err


def test_only_the_first_process_looks(tmp_path, monkeypatch):
    squeue(tmp_path, f"touch {tmp_path}/asked; echo 1:00", monkeypatch)
    monkeypatch.setattr("lsgm.distributed.is_first", lambda: False)
    assert math.isinf(deadline(5.0).left)
    assert not (tmp_path / "asked").exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the start of a process is known from /proc")
def test_the_process_began_before_the_package_was_imported():
    """The interpreter sleeps before it imports anything of ours, as one on a slow file system would."""
    code = (
        "import time; time.sleep(0.5)\n"
        "from lsgm.cli.jobs.process_start import IMPORTED, seconds_since_start\n"
        "print(seconds_since_start() - (time.monotonic() - IMPORTED))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 0.4
