"""`lsgm train --minutes` on a real clock: a training of many slots ends with the model of one in one piece.

How long a start takes on this machine, with whatever else it has to do, is measured first. Slots grow until one has
time for a step; those that follow are as long, and few steps fit into each.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli.chain import ROOT, settings

# A slot as long as a start, which ends with a refusal, has no time for a step: half of it is kept for the end.
FIRST_SLOT, GROWTH, MOST_SLOTS = 1.6, 1.25, 60
STOPPED, TOO_SHORT = 75, 2
SMALL = ("data.num_train=96", "data.num_test=20")
LONG = (*SMALL, "train.epochs=30", "train.log_every=1000", "train.checkpoint_every=10000")


def call(*words: str) -> subprocess.CompletedProcess[str]:
    """Type `lsgm WORDS` outside of any job."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "LSGM_"))}
    command = [sys.executable, "-m", "lsgm.cli.main", *words]
    return subprocess.run(
        command, cwd=ROOT, env=kept | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_slots_give_the_model_of_an_undisturbed_run(tmp_path: Path) -> None:
    data, vae = tmp_path / "data.safetensors", tmp_path / "vae" / "model.safetensors"
    assert call("prepare", *settings("mnist_vae", *SMALL), "--out", str(data)).returncode == 0
    words = ("--data", str(data), "--out", str(vae))
    assert call("pretrain", *settings("mnist_vae", *SMALL), *words).returncode == 0

    train = ("train", *settings("mnist", *LONG), "--data", str(data), "--backbone", str(vae), "--out")
    whole, slotted = tmp_path / "whole" / "model.safetensors", tmp_path / "slotted" / "model.safetensors"
    done = call(*train, str(whole))
    assert done.returncode == 0, done.stderr

    began = time.monotonic()
    assert call(*train, str(slotted), "--minutes", "0.001").returncode == TOO_SHORT
    minutes, codes = FIRST_SLOT * (time.monotonic() - began) / 60, []
    while len(codes) < MOST_SLOTS and 0 not in codes:
        done = call(*train, str(slotted), "--minutes", f"{minutes:.4f}")
        codes.append(done.returncode)
        if done.returncode == TOO_SHORT:
            assert "which is no time for a step" in done.stderr, done.stderr
            minutes *= GROWTH
        elif done.returncode == STOPPED:
            assert "run the same command again to go on" in done.stderr
            assert not slotted.exists()
    assert codes[-1] == 0, (codes, done.stderr)
    assert codes.count(STOPPED) >= 2, codes
    assert sha256(slotted) == sha256(whole)
