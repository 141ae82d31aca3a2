"""Trainings that are longer than their job: with a time budget and retries, the workflow finishes them by itself."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("snakemake", reason="the workflow needs snakemake (pip install 'lsgm[workflow]')")

from small_checkout import ROOT, RUN, call, make_checkout

MODEL = f"results/test/{RUN}/model.safetensors"
DRY_RUN = ("snakemake", MODEL, "--cores", "1", "--dry-run", "--nolock", "--forceall")
# An `lsgm` for which the time of every slot ends after eight steps, however fast this machine is.
SHORT_SLOTS = """#!{python}
import math, sys
from lsgm.cli.main import main
from lsgm.training import Deadline

def is_near(deadline):
    return math.isfinite(deadline._at) and len(deadline._steps) >= 8

Deadline.is_near = property(is_near)
sys.exit(main())
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    make_checkout(folder)
    program = tmp_path / "bin" / "lsgm"
    program.parent.mkdir()
    program.write_text(SHORT_SLOTS.format(python=sys.executable))
    program.chmod(0o755)
    return folder


def run(checkout: Path, *words: str, fails: bool = False) -> str:
    """Type `snakemake MODEL WORDS` where slots are short."""
    path = os.pathsep.join([str(checkout.parent / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    return call(checkout, "env", f"PATH={path}", "snakemake", MODEL, "--cores", "1", *words, fails=fails)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.slow
def test_a_training_of_three_slots_is_the_same_as_one_in_one_piece(checkout):
    budget = ("--config", "time_budget=true")
    printed = run(checkout, *budget, fails=True)
    assert "stopped at step 8 of 20, saved in" in printed
    assert not (checkout / MODEL).exists()
    printed = run(checkout, *budget, "--retries", "1")
    assert "stopped at step 16 of 20, saved in" in printed
    assert "pretrain: going on from step 16" in (checkout / f"results/test/logs/pretrain/{RUN}.log").read_text()

    (data,) = (checkout / "results" / "test" / "data").glob("*.safetensors")
    settings = ("--config", f"config/experiments/{RUN}.yaml", "--scale", "config/scales/test.yaml", "--threads", "1")
    words = ("--data", str(data), "--out", "alone/model.safetensors")
    call(checkout, sys.executable, "-m", "lsgm.cli.main", "pretrain", *settings, *words)
    assert sha256(checkout / MODEL) == sha256(checkout / "alone" / "model.safetensors")

    assert "Nothing to be done" in run(checkout, "--config", "time_budget=false", "--dry-run")


def test_the_budget_is_no_part_of_the_jobs():
    """It reaches them by an environment variable; the minutes are those of `runtime`, whatever has changed them."""
    words = (*DRY_RUN, "--printshellcmds", "--set-resources", "pretrain:runtime=7")
    plans = [call(ROOT, *words, "--config", f"time_budget={value}") for value in ("false", "true")]
    commands = [[line for line in plan.splitlines() if "exec lsgm pretrain" in line] for plan in plans]
    assert commands[0] == commands[1] != []
    assert "${LSGM_TIME_BUDGET:+--minutes 7}" in commands[0][0]


def test_the_budget_is_yes_or_no():
    printed = call(ROOT, *DRY_RUN, "--config", "time_budget=3", fails=True)
    assert "time_budget" in printed
