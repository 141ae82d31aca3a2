"""A job of the workflow in whose place another process is at work: it waits while it has time, and redoes nothing."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.chain import ROOT, settings

from lsgm.cli.jobs import workflow_job
from lsgm.cli.jobs.run_lock import BusyError, Holder
from lsgm.cli.jobs.workflow_job import PROCESS
from lsgm.cli.main import main
from lsgm.config import ConfigError

HOLD = (
    "import sys; from pathlib import Path; from lsgm.cli.jobs.run_lock import take\n"
    "with take(Path(sys.argv[1]), 'out'): print('held', flush=True); sys.stdin.readline()"
)
OUTPUTS = ("model.safetensors", "model.config.yaml", "training.json", "curves.jsonl")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("data") / "data.safetensors"
    assert main(["prepare", *settings("mnist_vae"), "--out", str(file)]) == 0
    return file


@pytest.fixture(autouse=True)
def no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "SLURM_JOB_END_TIME", PROCESS):
        monkeypatch.delenv(name, raising=False)


def words(data: Path, folder: Path, *more: str) -> list[str]:
    return ["pretrain", *settings("mnist_vae"), "--data", str(data), "--out", str(folder / OUTPUTS[0]), *more]


@contextmanager
def at_work(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is told to end."""
    (folder / "work").mkdir(exist_ok=True)
    command = [sys.executable, "-c", HOLD, str(folder / "work" / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        yield other
        other.stdin.close()


def test_it_waits_for_the_other_and_takes_what_that_has_made(data: Path, tmp_path: Path) -> None:
    """As on a cluster: the snakemake that sent the other was killed, and a new one has removed what was unfinished."""
    assert main(words(data, tmp_path)) == 0
    before = hashlib.sha256((tmp_path / OUTPUTS[0]).read_bytes()).hexdigest()
    for name in OUTPUTS:
        (tmp_path / name).unlink()
    with at_work(tmp_path) as other:
        command = [sys.executable, "-m", "lsgm.cli.main", *words(data, tmp_path, "--minutes", "1000")]
        environment = os.environ | {PROCESS: str(os.getpid())}
        job = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert f"process {other.pid} on " in (line := job.stderr.readline()), line
        assert "is at work on it; this job waits for its end" in line
    printed, errors = job.communicate()
    assert job.returncode == 0, errors
    assert "trained before with the same settings, data and code" in printed
    assert hashlib.sha256((tmp_path / OUTPUTS[0]).read_bytes()).hexdigest() == before
    assert all((tmp_path / name).exists() for name in OUTPUTS)


@pytest.mark.parametrize("known_by", ["--minutes", "Slurm"])
def test_at_the_end_of_its_time_it_ends_with_75(data, tmp_path, monkeypatch, capsys, known_by) -> None:
    monkeypatch.setenv(PROCESS, str(os.getpid()))
    if known_by == "Slurm":
        monkeypatch.setenv("SLURM_JOB_ID", "17")
        monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + 5))
    with at_work(tmp_path) as other:
        assert main(words(data, tmp_path, *(("--minutes", "0.001") if known_by == "--minutes" else ()))) == 75
    (line,) = capsys.readouterr().err.splitlines()
    assert f"process {other.pid} on " in line
    assert "is still at work on it, and this job's time is over; run the same command again to go on" in line


@pytest.mark.parametrize("minutes", [(), ("--minutes", "1000")])
def test_by_hand_it_is_refused_at_once(data, tmp_path, capsys, minutes) -> None:
    with at_work(tmp_path) as other:
        assert main(words(data, tmp_path, *minutes)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"process {other.pid} on " in line and f"`kill {other.pid}`" in line


def test_without_a_known_end_it_waits_some_minutes(data, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv(PROCESS, str(os.getpid()))
    assert workflow_job.patience(float("inf")) == workflow_job.PATIENCE_SECONDS > 60
    monkeypatch.setattr(workflow_job, "PATIENCE_SECONDS", 0.0)
    with at_work(tmp_path) as other:
        assert main(words(data, tmp_path)) == 2
    assert f"`kill {other.pid}`" in capsys.readouterr().err


def test_how_long_it_waits(monkeypatch) -> None:
    assert workflow_job.patience(3600.0) == 0.0
    monkeypatch.setenv(PROCESS, "1")
    assert workflow_job.patience(3600.0) == 3600.0 - workflow_job.LAST_SECONDS
    assert workflow_job.patience(-5.0) == 0.0


def test_other_processes_of_a_run_are_told_the_same_line() -> None:
    busy = BusyError("out", Holder(7, "node", "2026-01-01"))
    told = pickle.loads(pickle.dumps(busy))
    assert type(told) is ConfigError and str(told) == str(busy)
