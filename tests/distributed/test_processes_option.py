"""`lsgm ... --processes 2`: exit codes, one voice, and a polite stop, through `torchrun`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli.chain import ROOT, settings

from lsgm.cli.main import main

PATIENCE = 300


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("data") / "data.safetensors"
    assert main(["prepare", *settings("mnist_vae"), "--out", str(file)]) == 0
    return file


def start(data: Path, out: Path, *changes: str, program: tuple[str, ...] = ()) -> subprocess.Popen:
    words = ["pretrain", *settings("mnist_vae", *changes), "--data", str(data), "--out", str(out)]
    command = [*(program or (sys.executable, "-m", "lsgm.cli.main")), *words, "--device", "cpu", "--processes", "2"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def test_a_mistake_is_told_once_and_ends_with_2(data, tmp_path):
    process = start(data, tmp_path / "model.safetensors", "pretrain.batch_size=15")
    message = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 2
    assert message.count("pretrain.batch_size = 15 cannot be dealt to 2 processes") == 1
    assert "Traceback" not in message


def test_a_stop_signal_saves_once_and_ends_with_75(data, tmp_path):
    process = start(data, tmp_path / "model.safetensors", "pretrain.epochs=2000", "pretrain.log_every=1")
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        if any(file.stat().st_size for file in tmp_path.glob("work/*/curves.jsonl")):
            break
        time.sleep(0.1)
    # A batch system signals every process of a job at once, and torchrun passes its own on.
    for child in _children(process.pid):
        os.kill(child, signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    message = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 75
    assert message.count("run the same command again to go on") == 1
    begun, *saved = sorted(file.name for file in tmp_path.glob("work/*/checkpoint-*.pt"))
    assert begun == "checkpoint-00000000.pt"
    assert len(saved) == 1


@pytest.mark.slow
def test_torchrun_itself_may_be_used(data, tmp_path):
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    out = tmp_path / "model.safetensors"
    process = start(data, out, program=(*torchrun, "-m", "lsgm.cli.main"))
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert out.exists()
    assert json.loads((tmp_path / "training.json").read_text())["processes"] == 2


def test_verbs_of_one_process_refuse_torchrun(data, tmp_path, monkeypatch, capsys):
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", "0"), ("LOCAL_WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "9")
    words = [*settings("mnist"), "--data", str(data), "--model", str(data), "--out", str(tmp_path / "x.json")]
    assert main(["variance", *words]) == 2
    assert "`lsgm variance` works in one process" in capsys.readouterr().err


def test_fewer_than_no_processes(data, tmp_path, capsys):
    words = ["pretrain", *settings("mnist_vae"), "--data", str(data), "--out", str(tmp_path / "x"), "--processes", "-1"]
    assert main(words) == 2
    assert "--processes -1" in capsys.readouterr().err


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
