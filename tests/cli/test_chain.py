"""The verbs one after the other, on real digits: what each writes, and that the numbers fit together."""

from __future__ import annotations

import json
import math

import chain
import pytest
import torch
from safetensors.torch import load_file

from lsgm.cli.main import main
from lsgm.cli.records.samples_file import read_samples
from lsgm.models import load_model, sha256_of
from lsgm.reporting.records.metrics import read_metrics


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    chain.run_vae(folder)
    chain.run_lsgm(folder)
    return folder


@pytest.mark.parametrize("name", ["vae", "lsgm"])
def test_metrics_are_whole(folder, name):
    metrics = read_metrics(folder / name / "metrics.json")
    assert (metrics.status, metrics.kind) == ("ok", name)
    terms = metrics.nelbo.terms
    assert math.isclose(
        metrics.nelbo.value, terms.reconstruction + terms.neg_entropy + terms.cross_entropy, rel_tol=1e-6
    )
    assert metrics.nelbo.stderr > 0
    assert metrics.frechet.value > 0
    assert metrics.frechet.name != "FID"
    assert metrics.provenance.data_checksum == metrics.data.checksum
    assert (metrics.nll is not None) == (name == "vae")
    assert (metrics.nelbo.nfe is not None) == (name == "lsgm")
    assert (metrics.nelbo.errors is not None) == (metrics.nelbo.solver is not None) == (name == "lsgm")
    if name == "lsgm":
        assert 0 < metrics.nelbo.errors.probe_stderr < metrics.nelbo.stderr
        assert metrics.nelbo.errors.halving_images == 16 and metrics.nelbo.errors.halving != 0
    if name == "vae":
        assert metrics.nll.value < metrics.nelbo.value, "K samples give a tighter bound than one"


def test_the_chain_of_files_can_be_followed(folder):
    """From an LSGM's metrics to its model, to the VAE that it was trained on, to that VAE's metrics."""
    lsgm, vae = (read_metrics(folder / name / "metrics.json") for name in ("lsgm", "vae"))
    assert lsgm.provenance.model_sha256 == sha256_of(folder / "lsgm" / "model.safetensors")
    backbone = lsgm.training.backbone
    assert (backbone.run, backbone.seed, backbone.model_sha256) == ("mnist_vae", 1, vae.provenance.model_sha256)
    assert vae.training.backbone is None
    for metrics in (lsgm, vae):
        assert metrics.training.device == metrics.sampling.device == metrics.provenance.device
        assert metrics.training.commit == metrics.sampling.commit == metrics.provenance.commit
        assert metrics.training.versions == metrics.sampling.versions == metrics.provenance.versions
        assert metrics.training.dirty == metrics.sampling.dirty == metrics.provenance.dirty
        assert metrics.training.processes == metrics.sampling.processes == metrics.provenance.processes == 1
        assert metrics.training.data_checksum == metrics.provenance.data_checksum
        assert metrics.training.seconds > 0
        assert metrics.training.finished <= metrics.provenance.started


def test_a_variant_is_a_run_of_its_own(folder, tmp_path):
    files = ["--data", str(folder / "data.safetensors"), "--backbone", str(folder / "vae" / "model.safetensors")]
    words = [*chain.settings("mnist", "train.epochs=1"), "--variant", "frozen"]
    out = tmp_path / "model.safetensors"
    assert main(["train", *words, *files, "--out", str(out)]) == 0
    loaded, vae = load_model(out), load_model(folder / "vae" / "model.safetensors")
    assert (loaded.config.variant, loaded.config.train.train_vae) == ("frozen", False)
    weights = dict(loaded.model.vae.named_parameters())
    assert all(torch.equal(weights[name], weight) for name, weight in vae.model.vae.named_parameters())


def test_samples_belong_to_their_model_and_do_not_depend_on_the_batch(folder, tmp_path):
    images, record = read_samples(folder / "lsgm" / "samples.safetensors")
    assert images.dtype == torch.uint8
    assert 0 < record.nfe_per_image <= record.nfe
    sampling = read_metrics(folder / "lsgm" / "metrics.json").sampling
    assert (sampling.nfe, sampling.nfe_per_image) == (record.nfe, record.nfe_per_image)
    again = tmp_path / "again.safetensors"
    words = chain.settings("mnist", "sample.batch_size=7", "sample.num_samples=20")
    model = str(folder / "lsgm" / "model.safetensors")
    assert main(["sample", *words, "--model", model, "--out", str(again)]) == 0
    fewer = read_samples(again)[0].int()
    assert (fewer - images[:20].int()).abs().max() <= 1, "another batch is another rounding only"


def test_samples_of_another_model_are_refused(folder, tmp_path, capsys):
    words = chain.settings("mnist")
    files = ["--data", str(folder / "data.safetensors"), "--model", str(folder / "lsgm" / "model.safetensors")]
    samples = ["--samples", str(folder / "vae" / "samples.safetensors")]
    assert main(["evaluate", *words, *files, *samples, "--out", str(tmp_path / "m.json")]) == 2
    assert "another model" in capsys.readouterr().err
    assert not (tmp_path / "m.json").exists()


def test_samples_drawn_with_other_settings_are_refused(folder, tmp_path, capsys):
    """Else the metrics file's hash of the settings would not be that of its samples."""
    files = ["--data", str(folder / "data.safetensors"), "--model", str(folder / "lsgm" / "model.safetensors")]
    samples = ["--samples", str(folder / "lsgm" / "samples.safetensors"), "--out", str(tmp_path / "m.json")]
    assert main(["evaluate", *chain.settings("mnist", "sample.tol=1e-3"), *files, *samples]) == 2
    message = capsys.readouterr().err
    assert "other settings" in message and message.count("\n") == 1


def test_the_frechet_reference_can_be_all_images(folder, tmp_path):
    words = chain.settings("mnist", "evaluate.frechet.reference=train and test")
    files = {key: folder / "lsgm" / f"{key}.safetensors" for key in ("model", "samples")}
    words += [part for key, path in files.items() for part in (f"--{key}", str(path))]
    words += ["--data", str(folder / "data.safetensors"), "--out", str(tmp_path / "m.json")]
    assert main(["evaluate", *words]) == 0
    assert read_metrics(tmp_path / "m.json").frechet.num_reference == 160 + 40
    assert read_metrics(folder / "lsgm" / "metrics.json").frechet.num_reference == 160


def test_the_model_file_is_what_was_trained(folder):
    loaded = load_model(folder / "lsgm" / "model.safetensors")
    record = json.loads((folder / "lsgm" / "training.json").read_text())
    assert loaded.extra["status"] == record["status"] == "ok"
    assert record["steps"] == loaded.config.train.epochs * (160 // loaded.config.train.batch_size)
    curves = (folder / "lsgm" / "curves.jsonl").read_text().splitlines()
    assert json.loads(curves[-1])["step"] == record["steps"]


def test_a_second_run_of_the_same_settings_gives_the_same_model(folder, tmp_path):
    chain.run_lsgm(folder, name="again")
    first = load_model(folder / "lsgm" / "model.safetensors").model.state_dict()
    second = load_model(folder / "again" / "model.safetensors").model.state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_diverged_training_is_a_result(folder, tmp_path, capsys):
    """Non-finite weights in, `diverged` out: no failure, no number, and a reason."""
    words = ("train.lr_sgm=1e30", "train.lr_sgm_min=1e30", "train.warmup_epochs=0", "train.max_skipped=2")
    chain.run_lsgm(folder, "mnist", *words, name="diverged")
    metrics = read_metrics(folder / "diverged" / "metrics.json")
    assert metrics.status == "diverged"
    assert metrics.reason
    assert metrics.nelbo is None and metrics.frechet is None
    assert read_samples(folder / "diverged" / "samples.safetensors")[1].reason
    record = json.loads((folder / "diverged" / "training.json").read_text())
    assert len(record["rollbacks"]) == len(metrics.training.rollbacks) == 3
    assert [rollback.lr_factor for rollback in metrics.training.rollbacks] == [0.5, 0.25, 0.125]
    assert record["divergence"]["reason"] == record["reason"]
    assert {"nan", "inf"} & set(record["divergence"]["last_values"]["loss_prior"])
    assert all(torch.isfinite(value).all() for value in load_file(folder / "diverged" / "model.safetensors").values())


def test_architecture_mismatch_is_named(folder, tmp_path, capsys):
    words = chain.settings("mnist", "prior.num_channels=24")
    model = str(folder / "lsgm" / "model.safetensors")
    assert main(["sample", *words, "--model", model, "--out", str(tmp_path / "s.safetensors")]) == 2
    message = capsys.readouterr().err
    assert "prior.num_channels" in message and "24" in message
    assert message.count("\n") == 1


def test_a_vae_where_an_lsgm_is_expected(folder, tmp_path, capsys):
    model = str(folder / "vae" / "model.safetensors")
    words = ["sample", *chain.settings("mnist"), "--model", model, "--out", str(tmp_path / "s.safetensors")]
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_damaged_files_are_named(folder, tmp_path, capsys):
    cut = tmp_path / "cut.safetensors"
    data = (folder / "data.safetensors").read_bytes()
    for content in (data[: len(data) // 2], b"", b"\x00" * 100, data[:-10] + b"0123456789"):
        cut.write_bytes(content)
        words = ["pretrain", *chain.settings("mnist_vae"), "--data", str(cut), "--out", str(tmp_path / "m.safetensors")]
        assert main(words) == 2
        message = capsys.readouterr().err
        assert str(cut) in message and message.count("\n") == 1
    for name in ("model", "samples"):
        cut.write_bytes((folder / "lsgm" / f"{name}.safetensors").read_bytes()[:200])
        files = {"model": folder / "lsgm" / "model.safetensors", "samples": folder / "lsgm" / "samples.safetensors"}
        files[name] = cut
        words = [part for key, path in files.items() for part in (f"--{key}", str(path))]
        words += ["--data", str(folder / "data.safetensors"), "--out", str(tmp_path / "m.json")]
        assert main(["evaluate", *chain.settings("mnist"), *words]) == 2
        assert str(cut) in capsys.readouterr().err
