"""The workflow's plan for the sampling cost: one measurement of two models, which nothing else asks for."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("snakemake", reason="the workflow needs snakemake (pip install 'lsgm[workflow]')")

from workflow.test_plan import jobs, plan

CHAIN = {"prepare": 1, "pretrain": 2, "train": 2, "cost": 1, "sampling_cost_table": 1}


def test_the_table_needs_both_models_and_one_measurement():
    assert jobs("results/test/tables/sampling_cost.md", "--forceall") == CHAIN


def test_the_target_is_that_of_the_configs_scale():
    done = plan("sampling_cost", "--config", "scale=demo", "--forceall", "--printshellcmds")
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "lsgm cost" in line]
    model = "results/demo/{}/model.safetensors"
    for run in ("cifar10_balanced", "cifar10_pixels"):
        assert f"{run}={model.format(run)}" in line
    assert "--scale config/scales/demo.yaml" in line and "--out results/demo/sampling_cost.json" in line


def test_pixels_need_no_gpu_before_the_score_model():
    done = plan("sampling_cost", "--config", "scale=gpu", "--forceall")
    assert done.returncode == 0, done.stdout + done.stderr
    gpus = {vae: number for vae, number in re.findall(r"Pretrain VAE (\w+):.* x (\d) GPU", done.stdout)}
    assert gpus == {"cifar10_pixels_vae": "0", "cifar10_vae1": "1"}


def test_the_demo_does_not_measure_it():
    count = jobs("all", "--config", "scale=demo", "--forceall")
    assert not {"cost", "sampling_cost_table"} & count.keys()
