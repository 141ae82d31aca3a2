"""The workflow's plan: which jobs a target needs, and that a mistake stops it with one line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("snakemake", reason="the workflow needs snakemake (pip install 'lsgm[workflow]')")

ROOT = Path(__file__).parents[2]


def plan(*words: str) -> subprocess.CompletedProcess[str]:
    """Dry run of the workflow in the checkout, without a data root."""
    environment = {key: value for key, value in os.environ.items() if key != "LSGM_DATA"}
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", "--nolock", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def jobs(*words: str) -> dict[str, int]:
    """Number of jobs by rule."""
    done = plan(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE)
    return {name: int(count) for name, count in rows if name != "total"}


def test_all_tables_share_their_vaes():
    count = jobs("all_tables", "--config", "scale=paper", "--forceall")
    assert count["table"] == 5
    assert count["train"] == 17 + 6, "17 cells of Table 6 that exist, and six rows of Tables 2 to 5"
    assert count["pretrain"] == 6, "one VAE for all cells"
    assert count["evaluate"] == count["train"] + 4, "four VAE backbones are rows of the tables"


def test_one_cell_needs_only_its_own_chain():
    count = jobs("results/paper/ablation/vpsde-un-is-rew/metrics.json", "--forceall")
    assert count == {"prepare": 1, "pretrain": 1, "train": 1, "sample": 1, "evaluate": 1}


def test_any_table_is_a_target():
    assert jobs("results/paper/tables/table5.md", "--forceall")["table"] == 1


def test_bad_workflow_settings_are_refused():
    done = plan("--config", "scale=demo", "dataroot=x")
    assert done.returncode != 0
    assert "dataroot" in done.stdout + done.stderr
    done = plan("--config", "scale=huge")
    assert done.returncode != 0
    assert "huge" in done.stdout + done.stderr


def test_absent_inception_weights_are_noticed_before_anything_is_trained(tmp_path):
    target = "results/paper/cifar10_balanced/metrics.json"
    done = plan(target, "--config", f"data_root={tmp_path}")
    assert done.returncode != 0
    assert str(tmp_path / "inception-2015-12-05.pt") in done.stdout + done.stderr
    (tmp_path / "inception-2015-12-05.pt").touch()
    assert jobs(target, "--config", f"data_root={tmp_path}", "--forceall")["evaluate"] == 1
