"""Signals before a training's loop, after it, and to verbs that start anew: nothing is lost, nothing half-written."""

from __future__ import annotations

import hashlib
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from cli.chain import ROOT, run_vae, settings

from lsgm.cli.main import main
from lsgm.cli.records import training_run

# Sends the signal when something is imported for the first time.
ON_IMPORT = """
import importlib.abc, os, sys
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Finder())
"""
# Sends the signal when a file is written and about to get its name.
ON_RENAME = """
import os
original = os.replace
def replace(source, target):
    if str(target).endswith({file!r}):
        os.kill(os.getpid(), {number})
    original(source, target)
os.replace = replace
"""
RUN = """
import sys
from lsgm.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A VAE, prepared to metrics."""
    folder = tmp_path_factory.mktemp("chain")
    run_vae(folder)
    return folder


def call(before: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a verb in a process of its own, in which something happens first."""
    command = [sys.executable, "-c", before + RUN, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pretrain_words(chain: Path, out: Path) -> list[str]:
    return ["pretrain", *settings("mnist_vae"), "--data", str(chain / "data.safetensors"), "--out", str(out)]


@pytest.mark.parametrize(("module", "number"), [("torch", signal.SIGUSR2), ("lsgm.data", signal.SIGINT)])
def test_a_signal_during_the_start_ends_it_at_once_with_75(chain, tmp_path, module, number):
    out = tmp_path / "run" / "model.safetensors"
    done = call(ON_IMPORT.format(module=module, number=int(number)), *pretrain_words(chain, out))
    assert done.returncode == 75, done.stderr
    expected = f"lsgm pretrain: stopped by {number.name} before the training; run the same command again to go on\n"
    assert done.stderr == expected
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2])
def test_a_signal_while_the_model_is_written_lets_it_end(chain, tmp_path, monkeypatch, number):
    original, handler = training_run.save_model, signal.getsignal(number)

    def save(*words: object) -> object:
        os.kill(os.getpid(), number)
        return original(*words)

    monkeypatch.setattr(training_run, "save_model", save)
    out = tmp_path / "model.safetensors"
    assert main(pretrain_words(chain, out)) == 0
    assert sha256(out) == sha256(chain / "vae" / "model.safetensors")
    assert signal.getsignal(number) is handler


def test_ctrl_c_twice_while_the_model_is_written_costs_no_model(chain, tmp_path, monkeypatch):
    out = tmp_path / "model.safetensors"
    with monkeypatch.context() as patch:

        def hurry(source: object, target: object) -> None:
            if Path(target) == out:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)
            original(source, target)

        original = os.replace
        patch.setattr(os, "replace", hurry)
        assert main(pretrain_words(chain, out)) == 130
    assert not out.exists()
    assert main(pretrain_words(chain, out)) == 0
    assert sha256(out) == sha256(chain / "vae" / "model.safetensors")


@pytest.mark.parametrize(
    ("verb", "file", "number"),
    [
        ("sample", "samples.safetensors", signal.SIGTERM),
        pytest.param("evaluate", "metrics.json", signal.SIGUSR2, marks=pytest.mark.slow),
    ],
)
def test_verbs_that_start_anew_end_at_once_and_leave_what_was_there(chain, verb, file, number):
    folder = chain / "vae"
    before = sha256(folder / file)
    words = [verb, *settings("mnist_vae"), "--model", str(folder / "model.safetensors"), "--out", str(folder / file)]
    if verb == "evaluate":
        words += ["--data", str(chain / "data.safetensors"), "--samples", str(folder / "samples.safetensors")]
    done = call(ON_RENAME.format(file=file, number=int(number)), *words)
    assert done.returncode == -number, done.stderr
    assert sha256(folder / file) == before


def test_a_slot_that_is_too_short_for_the_start_is_refused(chain, tmp_path):
    done = call("", *pretrain_words(chain, tmp_path / "model.safetensors"), "--minutes", "0.001")
    assert done.returncode == 2
    assert done.stderr.startswith("lsgm pretrain: error: --minutes 0.001: 0 s were left before the first step")
    assert done.stderr.count("\n") == 1


def test_a_closed_terminal_costs_no_step(chain, tmp_path):
    """SIGHUP comes when the terminal is gone, and what is printed then goes nowhere."""
    out, (master, terminal) = tmp_path / "model.safetensors", pty.openpty()
    words = [*pretrain_words(chain, out), "--set", "pretrain.epochs=5000", "--set", "pretrain.log_every=1"]
    command = [sys.executable, "-m", "lsgm.cli.main", *words]
    os.set_blocking(master, False)
    training = subprocess.Popen(command, cwd=ROOT, stdout=terminal, stderr=terminal)
    try:
        os.close(terminal)
        end = time.monotonic() + 120
        while not any(file.stat().st_size for file in tmp_path.glob("work/*/curves.jsonl")):
            assert time.monotonic() < end and training.poll() is None
            with suppress(OSError):
                os.read(master, 1 << 16)
            time.sleep(0.05)
        os.close(master)
        training.send_signal(signal.SIGHUP)
        assert training.wait(120) == 75
    finally:
        training.kill()
        training.wait()
    steps = [int(file.stem.rpartition("-")[2]) for file in tmp_path.glob("work/*/checkpoint-*.pt")]
    assert max(steps) > 0
