"""A model in pixel space goes through the same verbs as any other, at test scale."""

from __future__ import annotations

import json
import math
from typing import get_args

import chain
import pytest
import yaml

from lsgm.cli.main import main
from lsgm.cli.records.samples_file import read_samples
from lsgm.config import ExperimentConfig, SampleConfig
from lsgm.models import load_model
from lsgm.reporting.records.metrics import read_metrics

ALONE, PIXELS = "cifar10_pixels_vae", "cifar10_pixels"
QUICK = ("figures.tolerances=[0.1]", "figures.num_samples=4", "figures.evaluations=[4]", "figures.reference_tol=1e-2")
QUICK += ("figures.reference_samples=2", "figures.variance_images=4", "figures.variance_times=2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pixels")
    chain.run_vae(folder, ALONE)
    chain.run_lsgm(folder, PIXELS)
    return folder


def files(folder, name):
    return ["--data", str(folder / "data.safetensors"), "--model", str(folder / name / "model.safetensors")]


@pytest.mark.parametrize(("name", "kind"), [("vae", "vae"), ("lsgm", "lsgm")])
def test_its_metrics_are_whole(folder, name, kind):
    metrics = read_metrics(folder / name / "metrics.json")
    assert (metrics.status, metrics.kind, metrics.parameters.vae) == ("ok", kind, 0)
    nelbo = metrics.nelbo
    assert nelbo.unit == "bits/dim" and math.isfinite(nelbo.value)
    assert nelbo.terms.reconstruction == 0
    assert nelbo.terms.neg_entropy == pytest.approx(7.0), "log2 of 2^8 bins on an interval of length 2"
    assert metrics.frechet.value > 0
    assert (metrics.nll is not None) == (kind == "vae")
    assert metrics.training.steps == (0 if kind == "vae" else 20)


def test_pixels_under_a_normal_prior_cost_more_than_they_have_bits(folder):
    """log2 of 128 for the noise, and ln(2 pi) / 2 nats and more for the Normal."""
    metrics = read_metrics(folder / "vae" / "metrics.json")
    assert 8.32 < metrics.nelbo.value < 9.1
    assert metrics.nll.value <= metrics.nelbo.value


def test_the_first_stage_leaves_all_its_files(folder, capsys):
    record = json.loads((folder / "vae" / "training.json").read_text())
    assert (record["status"], record["steps"], record["final"]) == ("ok", 0, {})
    assert (folder / "vae" / "curves.jsonl").read_text() == ""
    settings = yaml.safe_load((folder / "vae" / "model.config.yaml").read_text())
    assert settings["vae"] == {"arch": "pixels", "output": "intensity"}
    words = [*chain.settings(ALONE), "--data", str(folder / "data.safetensors")]
    assert main(["pretrain", *words, "--out", str(folder / "vae" / "model.safetensors")]) == 0
    assert "trained before" in capsys.readouterr().out
    assert main(["pretrain", *words, "--again", "--out", str(folder / "again" / "model.safetensors")]) == 0
    printed = capsys.readouterr()
    assert "no weights, so there is nothing to train" in printed.out + printed.err
    both = [(folder / name / "model.safetensors").read_bytes() for name in ("vae", "again")]
    assert both[0] == both[1]


def test_its_images_are_intensities(folder):
    images, record = read_samples(folder / "lsgm" / "samples.safetensors")
    assert images.shape[1:] == (3, 8, 8) and record.nfe > 0
    assert len(images.unique()) > 10


@pytest.mark.parametrize("verb", ["tolerance", "samplers", "variance"])
def test_every_measurement_of_a_prior_works(folder, tmp_path, verb):
    out = tmp_path / "measured.json"
    words = chain.settings(PIXELS, *QUICK, "sample.batch_size=4")
    assert main([verb, *words, *files(folder, "lsgm"), "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["status"] == "ok" and found["points"]


@pytest.mark.parametrize("solver", get_args(SampleConfig.model_fields["solver"].annotation))
def test_every_sampler_works(folder, tmp_path, solver):
    out = tmp_path / "samples.safetensors"
    changes = (f"sample.solver={solver}", "sample.evaluations=4", "sample.num_steps=5", "sample.num_samples=3")
    words = [*chain.settings(PIXELS, *changes), *files(folder, "lsgm")[2:]]
    assert main(["sample", *words, "--out", str(out)]) == 0
    assert len(read_samples(out)[0]) == 3


def test_it_can_be_the_backbone_of_another_prior(folder, tmp_path):
    words = chain.settings(PIXELS, "train.epochs=1", "prior.num_channels=4")
    backbone = ["--backbone", str(folder / "lsgm" / "model.safetensors")]
    out = tmp_path / "model.safetensors"
    assert main(["train", *words, *files(folder, "lsgm")[:2], *backbone, "--out", str(out)]) == 0
    assert load_model(out).config.prior.num_channels == 4


@pytest.mark.parametrize(("verb", "name"), [("pretrain", ALONE), ("train", PIXELS), ("evaluate", PIXELS)])
def test_dry_runs_show_what_counts(verb, name, capsys):
    assert main([verb, *chain.settings(name), "--dry-run"]) == 0
    printed = capsys.readouterr().out
    config = ExperimentConfig.model_validate(yaml.safe_load(printed))
    assert config.model_dump()["vae"] == {"arch": "pixels", "output": "intensity"}
    assert "# parameters of vae: 0" in printed
    assert ("memory of a step" in printed) == (verb == "train")
    assert ("# trains: nothing" in printed) == (verb == "pretrain")


@pytest.mark.parametrize("name", ["vae", "lsgm"])
def test_the_authors_scripts_have_no_such_model(folder, tmp_path, capsys, name):
    out = tmp_path / "checkpoint.pt"
    assert main(["export-official", str(folder / name / "model.safetensors"), "--out", str(out)]) == 2
    message = capsys.readouterr().err
    assert "vae.arch is pixels" in message and message.count("\n") == 1
    assert not out.exists()


def test_there_are_curves_of_the_second_stage_only(folder, tmp_path, capsys):
    out = ["--out", str(tmp_path / "curves")]
    drawn = ["--curves", str(folder / "lsgm" / "curves.jsonl"), *out]
    assert main(["figure", "curves", *chain.settings(PIXELS, "train.log_every=1"), *drawn]) == 0
    capsys.readouterr()
    empty = ["--curves", str(folder / "vae" / "curves.jsonl"), *out]
    assert main(["figure", "curves", *chain.settings(ALONE), *empty]) == 2
    message = capsys.readouterr().err
    assert "no curve" in message and message.count("\n") == 1
