"""The Slurm profile without a Slurm: what it plans, what a retry asks for, and what is said where Slurm is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lsgm.cli.jobs.cluster import require_partitions
from lsgm.config import ConfigError
from lsgm.config.jobs import Job, Plan
from lsgm.config.plan import Resources, StageResources, read_resources

ROOT = Path(__file__).parents[2]
PROFILE = ROOT / "profiles" / "slurm" / "config.yaml"


def dry_run(*words: str, **environment: str) -> str:
    """Output of a dry run in the checkout."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--nolock", "--printshellcmds", "--forceall", *words]
    kept = {key: value for key, value in os.environ.items() if key not in ("LSGM_DATA", "SNAKEMAKE_PROFILE")}
    done = subprocess.run(command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "environment"),
    [(["--profile", "slurm"], {}), ([], {"SNAKEMAKE_PROFILE": "slurm"})],
    ids=["word", "variable"],
)
def test_jobs_keep_their_threads_whatever_the_submitting_machine_has(words, environment):
    """`profiles/default` wins over `--profile`, so it must leave its limits out."""
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="needs pip install 'lsgm[workflow]'")
    plan = dry_run("results/paper/mnist/metrics.json", "--config", "scale=paper", *words, **environment)
    assert re.findall(r"lsgm (\w+) .*--threads (\d+)", plan) == [
        (stage, "8") for stage in ("pretrain", "train", "sample", "evaluate")
    ]


def test_without_a_profile_the_machine_limits_the_threads():
    plan = dry_run("results/paper/mnist/metrics.json", "--config", "scale=paper", "--cores", "3")
    assert set(re.findall(r"--threads (\d+)", plan)) == {"3"}


def test_a_retry_asks_for_more_memory_and_for_more_time_where_the_stage_starts_anew():
    stages = StageResources(
        train=Resources(mem_mb=1000, runtime=60, threads=2, gpu=1), sample=Resources(mem_mb=1000, runtime=60)
    )
    assert [stages.of("train", attempt).mem_mb for attempt in (1, 2, 3)] == [1000, 1500, 2000]
    assert [stages.of("train", attempt).runtime for attempt in (1, 2, 3)] == [60, 60, 60]
    assert [stages.of("sample", attempt).runtime for attempt in (1, 2, 3)] == [60, 90, 120]
    assert stages.of("train", 3).threads == 2 and stages.of("train", 3).gpu == 1


def test_nodes_need_gpus_and_work_that_can_be_shared(tmp_path):
    scale = tmp_path / "scale.yaml"
    for stages, message in (
        ("train: {nodes: 2}", r"resources\.train\.nodes = 2, but gpu = 0"),
        ("prepare: {nodes: 2, gpu: 1}", r"resources\.prepare\.nodes must be 1; only pretrain, train"),
    ):
        scale.write_text(f"resources: {{{stages}}}\n")
        with pytest.raises(ConfigError, match=message):
            read_resources(scale)


def test_gpu_hours_count_all_nodes():
    stages = StageResources(train=Resources(runtime=60, gpu=4, nodes=2))
    assert Plan({}, stages).gpu_hours([Job("train", "mnist")]) == 8


def test_every_stage_has_time_for_the_warning_before_its_limit():
    warning = 120 / 60 + 1  # minutes: Slurm may send the signal up to one minute early
    assert "--signal=TERM@120" in PROFILE.read_text()
    for scale in (ROOT / "config" / "scales").glob("*.yaml"):
        for stage, needed in (yaml.safe_load(scale.read_text()).get("resources") or {}).items():
            assert needed["runtime"] > warning, (scale.name, stage)


def programs(folder: Path, **scripts: str) -> str:
    """A PATH with nothing but these shell scripts."""
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_partitions_of_the_profile_must_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", programs(tmp_path, sbatch="", sinfo="echo cpu\necho gpu\necho big"))
    require_partitions(PROFILE)
    other = tmp_path / "config.yaml"
    other.write_text("partitions: {cpu: {max_gpu: 0}, a100: {max_gpu: 4}}\n")
    with pytest.raises(ConfigError, match=r"partitions\.a100 is not on this cluster; there are: big, cpu, gpu"):
        require_partitions(other)


def test_no_slurm_and_a_slurm_that_is_down_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="no `sbatch` on the PATH"):
        require_partitions(PROFILE)
    programs(tmp_path, sbatch="", sinfo="echo 'Unable to contact slurm controller' >&2\nexit 1")
    with pytest.raises(ConfigError, match=r"does not answer \(Unable to contact slurm controller\)"):
        require_partitions(PROFILE)
