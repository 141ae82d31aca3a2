"""The workflow's plan: which jobs a target needs, and that a mistake stops it with one line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from lsgm.config.catalogue import Catalogue
from lsgm.config.jobs import ALL, make_plan
from lsgm.config.plan import read_resources

pytest.importorskip("snakemake", reason="the workflow needs snakemake (pip install 'lsgm[workflow]')")

ROOT = Path(__file__).parents[2]
CELL = "ablation/vpsde-un-is-rew"
SEEDS = (1, 2, 3)
ONE_CHAIN = {"prepare": 1, "pretrain": 1, "train": 1, "sample": 1, "evaluate": 1}


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
    assert jobs(f"results/paper/{CELL}/metrics.json", "--forceall") == ONE_CHAIN


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


@pytest.mark.parametrize("share", [True, False], ids=["one VAE for all seeds", "a VAE for each seed"])
def test_the_plan_of_lsgm_is_that_of_snakemake(share):
    words = ["scale=paper", f"seeds=[{','.join(map(str, SEEDS))}]", f"share_backbone={str(share).lower()}"]
    count = jobs("all_tables", "extra_ablation", "--config", *words, "--forceall")
    scale = ROOT / "config" / "scales" / "paper.yaml"
    planned = make_plan(Catalogue(ROOT / "config"), "paper", read_resources(scale), SEEDS, share)
    expected = Counter(job.stage for job in planned.tables[ALL])
    count["report"] = count.pop("table") + count.pop("extra_ablation_table")
    assert {stage: count[stage] for stage in expected} == expected
    assert count["pretrain"] == (6 + 4 * 2 if share else 6 * 3), "the rows of VAEs have their own seeds in any case"


def test_seeds_and_variants_of_any_run_are_targets():
    names = [f"{CELL}/seed-7", f"{CELL}+frozen", f"{CELL}+unmixed+frozen/seed-0"]
    count = jobs(*(f"results/paper/{name}/metrics.json" for name in names), "--forceall")
    assert count == {"prepare": 1, "pretrain": 1, "train": 3, "sample": 3, "evaluate": 3}


def test_extra_axes_share_the_cell_of_table_6():
    count = jobs("extra_ablation", "results/paper/tables/table6.md", "--config", "scale=paper", "--forceall")
    assert count["train"] == 17 + 2
    assert count["extra_ablation_table"] == 1


def test_a_job_says_what_it_asks_for():
    printed = plan("results/paper/mnist/metrics.json", "--forceall", "--cores", "64").stdout
    assert "Train mnist: 8 threads, 64000 MB, 10080 min, 1 x 1 GPU" in printed
    assert "Prepare data set mnist: 2 threads, 32000 MB, 240 min" in printed


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("results/demo/ablation/vpsde-xx/metrics.json", ["'vpsde-xx' is not a cell", "vpsde-un-is-rew"]),
        (f"results/demo/{CELL}+frosen/metrics.json", ["no variant 'frosen'", "frozen"]),
        ("results/huge/mnist/metrics.json", ["no scale 'huge'", "demo"]),
    ],
)
def test_a_run_that_there_is_not_gives_one_line(target, words):
    done = plan(target)
    assert done.returncode != 0
    errors = [line for line in (done.stdout + done.stderr).splitlines() if "error" in line.lower()]
    assert len(errors) == 1 and errors[0].startswith("lsgm: error: ")
    assert all(word in errors[0] for word in words)
    assert "Traceback" not in done.stderr
