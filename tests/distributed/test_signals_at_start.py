"""A stop signal to one of several processes before they have found each other: all end, with 75, and nothing waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli.chain import ROOT, settings

PATIENCE = 300
# Read by every Python that starts: in the process meant, sends the signal before the package's part for groups is
# imported. The others are then at work, or wait for this one.
AT_START = """
import importlib.abc, os, sys

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r} and os.environ.get("RANK") == {rank!r}:
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Finder())
"""


def start(folder: Path, module: str, rank: str | None, number: int) -> subprocess.CompletedProcess[str]:
    """Start a training of two processes that never gets as far as its data."""
    hooks = folder / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(AT_START.format(module=module, rank=rank, number=int(number)))
    (folder / "data.safetensors").write_bytes(b"")
    words = ["pretrain", *settings("mnist_vae"), "--data", str(folder / "data.safetensors"), "--device", "cpu"]
    command = [sys.executable, "-m", "lsgm.cli.main", *words, "--out", str(folder / "out" / "model.safetensors")]
    kept = {key: value for key, value in os.environ.items() if key not in ("RANK", "WORLD_SIZE")}
    path = os.pathsep.join(filter(None, [str(hooks), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [*command, "--processes", "2"],
        cwd=ROOT,
        env=kept | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(
    ("rank", "number", "code"),
    [
        ("1", signal.SIGTERM, 75),
        pytest.param("0", signal.SIGUSR2, 75, marks=pytest.mark.slow),
        pytest.param("1", signal.SIGKILL, 1, marks=pytest.mark.slow),
    ],
)
def test_one_of_the_processes(tmp_path: Path, rank: str, number: signal.Signals, code: int) -> None:
    done = start(tmp_path, "lsgm.distributed.group", rank, number)
    assert done.returncode == code, done.stderr
    assert f"process {rank} was ended by {number.name}; run the same command again to go on" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_one_that_starts_them(tmp_path: Path) -> None:
    done = start(tmp_path, "torch.distributed.run", None, signal.SIGTERM)
    assert done.returncode == 75, done.stderr
    assert done.stderr.splitlines() == [
        "lsgm pretrain: stopped by SIGTERM before the training; run the same command again to go on"
    ]
