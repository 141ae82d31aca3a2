"""A training that has finished is not done again when its outputs are gone, unless something has changed."""

from __future__ import annotations

import json

import pytest
from cli.chain import settings
from safetensors.torch import load_file

from lsgm.cli.main import main
from lsgm.cli.records import finished

OUTPUTS = ("model.safetensors", "model.config.yaml", "training.json", "curves.jsonl")


@pytest.fixture
def words(tmp_path):
    """Words of a short pretraining that has finished."""
    data, out = tmp_path / "data.safetensors", tmp_path / "model.safetensors"
    small = settings("mnist_vae", "pretrain.epochs=1", "data.num_train=32", "data.num_test=8")
    assert main(["prepare", *small, "--out", str(data)]) == 0
    words = ["pretrain", *small, "--data", str(data), "--out", str(out)]
    assert main(words) == 0
    return words


def when(tmp_path) -> str:
    return json.loads((tmp_path / "training.json").read_text())["finished"]


def no_training(*_, **__):
    raise AssertionError("trained again")


def test_removed_outputs_come_back(words, tmp_path, monkeypatch, capsys):
    before = {name: (tmp_path / name).read_bytes() for name in OUTPUTS}
    for name in OUTPUTS:
        (tmp_path / name).unlink()
    monkeypatch.setattr("lsgm.training.pretrain", no_training)
    assert main(words) == 0
    assert {name: (tmp_path / name).read_bytes() for name in OUTPUTS} == before
    assert "--again" in capsys.readouterr().out


def test_it_can_be_done_again(words, tmp_path):
    first = load_file(tmp_path / "model.safetensors")
    record = tmp_path / "training.json"
    record.write_text(record.read_text().replace(when(tmp_path), "long ago"))
    assert main([*words, "--again"]) == 0
    assert when(tmp_path) != "long ago"
    second = load_file(tmp_path / "model.safetensors")
    assert all(first[name].equal(second[name]) for name in first)


@pytest.mark.parametrize("change", ["code", "versions", "data", "model", "record"])
def test_nothing_comes_back_after_a_change(words, tmp_path, monkeypatch, change):
    (work,) = (folder.parent for folder in tmp_path.glob(f"work/*/{finished.FOLDER}"))
    out = tmp_path / "model.safetensors"
    checksum = json.loads((work / finished.FOLDER / finished.RECORD).read_text())["data_checksum"]
    assert finished.take_back(work, out, checksum)
    if change == "code":
        monkeypatch.setattr(finished, "code_checksum", lambda: "another")
    if change == "versions":
        monkeypatch.setattr(finished, "versions", lambda: {"torch": "0"})
    if change == "data":
        checksum = "another"
    if change == "model":
        (work / finished.FOLDER / "model.safetensors").write_bytes(b"damaged")
    if change == "record":
        (work / finished.FOLDER / finished.RECORD).write_bytes(b"{")
    assert not finished.take_back(work, out, checksum)
