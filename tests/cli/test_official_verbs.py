"""`import-official` and `export-official` on the command line: there and back, evaluated by the ordinary verbs."""

from __future__ import annotations

import argparse
import json
import pickle

import chain
import numpy as np
import pytest
import torch

from lsgm.cli.main import main
from lsgm.models import load_model
from lsgm.reporting.records.metrics import read_metrics

QUICK = ("evaluate.nelbo.num_images=8", "sample.num_samples=8", "sample.tol=1e-3", "evaluate.nelbo.num_steps=8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A VAE and an LSGM trained on digits, exported and imported again as `back`."""
    folder = tmp_path_factory.mktemp("official")
    chain.run_vae(folder)
    chain.run_lsgm(folder, "mnist", *QUICK, "train.drop_inactive=false", "prior.attention_resolutions=[16]")
    assert main(["export-official", str(folder / "lsgm" / "model.safetensors"), "--out", str(folder / "lsgm.pt")]) == 0
    assert main(["export-official", str(folder / "vae" / "model.safetensors"), "--out", str(folder / "vae.pt")]) == 0
    (folder / "back").mkdir()
    out = str(folder / "back" / "model.safetensors")
    assert main(["import-official", str(folder / "lsgm.pt"), "--kind", "lsgm", "--out", out]) == 0
    return folder


def test_weights_survive_there_and_back(folder):
    first, second = (load_model(folder / name / "model.safetensors").model.state_dict() for name in ("lsgm", "back"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_an_imported_model_is_evaluated_with_the_settings_beside_it(folder):
    settings = ["--config", str(folder / "back" / "model.config.yaml")]
    words = [
        part
        for word in (*QUICK, "evaluate.frechet.features=random_conv", "data.num_train=160", "data.num_test=40")
        for part in ("--set", word)
    ]
    chain.measure(folder, "back", settings + words)
    back, own = (read_metrics(folder / name / "metrics.json") for name in ("back", "lsgm"))
    assert back.nelbo.num_images == own.nelbo.num_images == 8
    assert back.nelbo.value == own.nelbo.value
    assert back.frechet.value == own.frechet.value
    assert back.training.steps == own.training.steps
    assert "authors' scripts" in back.training.source
    assert back.training.seconds is None and own.training.source is None


def test_a_checkpoint_of_another_network_than_expected_is_refused(folder, tmp_path, capsys):
    out = tmp_path / "model.safetensors"
    words = ["import-official", str(folder / "lsgm.pt"), "--expect", str(chain.EXPERIMENTS / "mnist.yaml")]
    assert main([*words, "--out", str(out)]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "mnist" in message
    assert not list(tmp_path.iterdir())


class _Harmful:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_bad_checkpoints_end_with_one_line_and_no_file(folder, tmp_path, capsys):
    good = (folder / "lsgm.pt").read_bytes()
    harmful = tmp_path / "harmful"
    content = {"args": argparse.Namespace(), "vae_state_dict": {}, "code": _Harmful(harmful)}
    torch.save(content, tmp_path / "code.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(content))
    (tmp_path / "cut.pt").write_bytes(good[: len(good) // 2])
    (tmp_path / "empty.pt").write_bytes(b"")
    np.save(tmp_path / "array.npy", np.zeros(3))
    harmful.unlink(missing_ok=True)
    cases = {
        "code.pt": [],
        "plain.pt": [],
        "cut.pt": [],
        "empty.pt": [],
        "array.npy": [],
        "absent.pt": [],
        str(folder / "vae.pt"): ["--kind", "lsgm"],
        str(folder / "lsgm.pt"): ["--kind", "vae"],
    }
    out = tmp_path / "out" / "model.safetensors"
    for name, words in cases.items():
        path = tmp_path / name
        assert main(["import-official", str(path), *words, "--out", str(out)]) == 2, name
        message = capsys.readouterr().err
        assert message.count("\n") == 1 and str(path) in message, message
        assert not out.parent.exists(), name
    assert not harmful.exists()


def test_ema_is_refused_where_there_is_none(folder, tmp_path, capsys):
    out = tmp_path / "model.safetensors"
    assert main(["import-official", str(folder / "lsgm.pt"), "--ema", "--out", str(out)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()


def test_published_state_dicts_run_from_end_to_end(reference, tmp_path, capsys):
    """The official state dicts as the scripts wrap them: imported, sampled and measured by the ordinary verbs."""
    settings = json.loads((reference / "f_mnist.json").read_text())["config"]
    args = argparse.Namespace(**settings["vada_args"])
    states = {
        f"{part}_state_dict": torch.load(reference / f"f_mnist_{name}_state.pt", weights_only=True)
        for part, name in (("vae", "vae"), ("dae", "sgm"))
    }
    torch.save({"epoch": 3, "global_step": 300, "args": args, **states}, tmp_path / "checkpoint.pt")
    images = np.random.default_rng(0).integers(0, 256, (12, 28, 28, 1), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", train=images, test=images[:4])
    (tmp_path / "run").mkdir()
    out = str(tmp_path / "run" / "model.safetensors")
    assert main(["import-official", str(tmp_path / "checkpoint.pt"), "--out", out]) == 0
    assert "300 steps" in capsys.readouterr().out
    chosen = ["--config", str(tmp_path / "run" / "model.config.yaml")]
    own = ("data.name=npz", f"data.path={tmp_path / 'images.npz'}", "evaluate.frechet.features=random_conv")
    chosen += [part for word in (*own, *QUICK[1:]) for part in ("--set", word)]
    assert main(["prepare", *chosen, "--out", str(tmp_path / "data.safetensors")]) == 0
    chain.measure(tmp_path, "run", chosen)
    metrics = read_metrics(tmp_path / "run" / "metrics.json")
    assert (metrics.status, metrics.nelbo.num_images, metrics.training.steps) == ("ok", 4, 300)
