"""`lsgm ... --nodes 2`: two nodes on this machine, which find each other without Slurm, are as good as one process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.chain import ROOT, settings
from safetensors.torch import load_file

from lsgm.cli.main import main
from lsgm.config import ConfigError
from lsgm.distributed import Rendezvous

PATIENCE = 300


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("data") / "data.safetensors"
    assert main(["prepare", *settings("mnist_vae"), "--out", str(file)]) == 0
    return file


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen]]:
    """Processes that are killed at the end, if they have not ended."""
    processes: list[subprocess.Popen] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def pretrain_words(data: Path, out: Path, *changes: str) -> list[str]:
    return ["pretrain", *settings("mnist_vae", *changes), "--data", str(data), "--out", str(out), "--device", "cpu"]


def start_nodes(started: list[subprocess.Popen], words: list[str]) -> None:
    """Type the same command on each of two nodes."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
    command = [sys.executable, "-m", "lsgm.cli.main", *words, "--nodes", "2", "--rendezvous", place, "--threads", "1"]
    for _ in range(2):
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT))


def test_two_nodes_train_what_one_process_trains(data, tmp_path, started):
    changes = ("pretrain.epochs=1", "pretrain.warmup_epochs=0")
    start_nodes(started, pretrain_words(data, tmp_path / "two" / "model.safetensors", *changes))
    assert main(pretrain_words(data, tmp_path / "one" / "model.safetensors", *changes)) == 0
    messages = "".join(process.communicate(timeout=PATIENCE)[1] for process in started)
    assert [process.returncode for process in started] == [0, 0], messages
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        difference = (two[name].double() - value.double()).norm()
        assert difference <= 1e-3 * value.double().norm().clamp_min(1e-2), name


@pytest.mark.slow
def test_a_mistake_is_told_once_and_both_nodes_end_with_2(data, tmp_path, started):
    start_nodes(started, pretrain_words(data, tmp_path / "model.safetensors", "pretrain.batch_size=15"))
    messages = "".join(process.communicate(timeout=PATIENCE)[1] for process in started)
    assert [process.returncode for process in started] == [2, 2]
    assert messages.count("pretrain.batch_size = 15 cannot be dealt to 2 processes") == 1
    assert "Traceback" not in messages


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGUSR2, marks=pytest.mark.slow)])
def test_a_signal_to_one_node_stops_both_at_the_same_step(data, tmp_path, started, number):
    changes = ("pretrain.epochs=2000", "pretrain.log_every=1")
    start_nodes(started, pretrain_words(data, tmp_path / "model.safetensors", *changes))
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and all(process.poll() is None for process in started):
        if any(file.stat().st_size for file in tmp_path.glob("work/*/curves.jsonl")):
            break
        time.sleep(0.1)
    # Copies of one request: from the batch system, from `srun`.
    for copy in (number, signal.SIGUSR1, number):
        os.kill(started[1].pid, copy)
    messages = "".join(process.communicate(timeout=PATIENCE)[1] for process in started)
    assert [process.returncode for process in started] == [75, 75], messages
    assert messages.count("run the same command again to go on") == 1
    assert "torch/distributed" not in messages
    steps = {int(file.stem.rpartition("-")[2]) for file in tmp_path.glob("work/*/checkpoint-*.pt")}
    assert len(steps - {0}) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nodes", "2"], "--nodes 2: this is no Slurm job; start the same command on each node, with --rendezvous"),
        (["--nodes", "0"], "--nodes 0: must be at least 1"),
        (["--rendezvous", "127.0.0.1:9"], "is for several nodes"),
        (["--nodes", "2", "--rendezvous", "127.0.0.1"], "--rendezvous 127.0.0.1: must be HOST:PORT"),
        (["--nodes", "2", "--rendezvous", "no.such.host.invalid:9"], "cannot be reached from here"),
    ],
)
def test_nodes_that_cannot_be_found(data, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert main([*pretrain_words(data, tmp_path / "model.safetensors"), *words]) == 2
    assert message in capsys.readouterr().err


def test_the_host_of_the_rendezvous_is_called_as_the_others_call_it():
    assert Rendezvous.parse(2, "localhost:29500").own_address() == "localhost"
    with pytest.raises(ConfigError, match="must be HOST:PORT"):
        Rendezvous.parse(2, "localhost:99999")
