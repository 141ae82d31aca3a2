"""How `--nodes` starts itself in a Slurm job, on programs that stand for Slurm's."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from lsgm.cli.jobs import slurm_step
from lsgm.config import ConfigError

SQUEUE = "echo 'node[3-4]'"
SCONTROL = """case "$2 $3" in
  "hostnames node[3-4]") echo node3; echo node4 ;;
  "show node") echo "NodeName=$4 NodeAddr=$4.cluster NodeHostName=$4 Port=0" ;;
esac"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A function that puts shell scripts first on the PATH; the process is in job 31234."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "31234")
    monkeypatch.delenv("SLURM_STEP_NUM_TASKS", raising=False)

    def write(**scripts: str) -> None:
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)

    write(srun="", squeue=SQUEUE, scontrol=SCONTROL)
    return write


def test_the_first_node_of_the_job_is_the_rendezvous(programs, monkeypatch):
    place = slurm_step.find(2)
    assert place.hosts == ("node3", "node4")
    assert place.rendezvous == "node3.cluster:21234"
    assert not place.is_step
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    assert slurm_step.find(2).is_step


def test_a_job_without_enough_nodes(programs):
    with pytest.raises(ConfigError, match=r"--nodes 3: job 31234 has 2, node\[3-4\]; ask for more"):
        slurm_step.find(3)


def test_a_slurm_that_does_not_answer(programs):
    programs(squeue="echo 'Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(ConfigError, match=r"`squeue .*` failed: Unable to contact slurm controller"):
        slurm_step.find(2)


def test_one_copy_on_each_node_and_the_exit_code_of_all(programs, tmp_path):
    programs(srun=f'printf "%s\\n" "$@" > {tmp_path}/words; exit 75')
    assert slurm_step.start(slurm_step.find(2), "module", ["train", "--nodes", "2"], "train", 4) == 75
    words = (tmp_path / "words").read_text().splitlines()
    assert {"--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--cpus-per-task=4"} <= set(words)
    assert words[-6:] == ["module", "train", "--nodes", "2", "--rendezvous", "node3.cluster:21234"]


def test_a_stop_signal_reaches_the_copies_as_one_that_srun_passes_on(programs, tmp_path):
    ready = tmp_path / "ready"
    programs(srun=f"trap 'exit 75' USR2; touch {ready}; while :; do sleep 0.05; done")
    threading.Thread(target=_stop_when, args=(ready,)).start()
    before = signal.getsignal(signal.SIGTERM)
    assert slurm_step.start(slurm_step.find(2), "module", [], "train", None) == 75
    assert signal.getsignal(signal.SIGTERM) == before


def _stop_when(ready: Path) -> None:
    while not ready.exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
