"""What can be known at the start is refused at the start; what the file system refuses is named with its reason."""

from __future__ import annotations

import builtins
import errno
import json
import os
from pathlib import Path

import pytest
from cli.chain import main, run_vae, settings

from lsgm.config import ConfigError
from lsgm.models import load_model
from lsgm.whole_file import require_writable


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chain")
    run_vae(folder)
    return folder


def train_vae(chain: Path, out: Path, *changes: str) -> int:
    words = [*settings("mnist_vae", *changes), "--data", str(chain / "data.safetensors"), "--out", str(out)]
    return main(["pretrain", *words])


def test_two_models_in_one_folder_have_records_of_their_own(chain, tmp_path):
    for name, seed in (("a", 1), ("b", 2), ("model", 3)):
        assert train_vae(chain, tmp_path / f"{name}.safetensors", f"seed={seed}") == 0
    records = [tmp_path / name for name in ("a.training.json", "b.training.json", "training.json")]
    finals = [json.loads(record.read_text())["final"]["loss_vae"] for record in records]
    assert len(set(finals)) == 3
    assert len({(tmp_path / name).read_bytes() for name in ("a.curves.jsonl", "b.curves.jsonl", "curves.jsonl")}) == 3
    # Each goes back to what it has finished, and not to another's.
    before = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.safetensors").unlink()
    assert train_vae(chain, tmp_path / "a.safetensors", "seed=1") == 0
    assert (tmp_path / "a.safetensors").read_bytes() == before
    assert json.loads(records[1].read_text())["final"]["loss_vae"] == finals[1]


@pytest.mark.parametrize("name", ["x" * 250 + ".safetensors", "x" * 240 + ".safetensors"])
def test_a_name_that_is_too_long_is_refused_before_the_work(chain, tmp_path, name, capsys):
    """The second fits, but not with the ending that a file has while it is written."""
    assert train_vae(chain, tmp_path / name) == 2
    assert "shorter name" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


def test_an_output_behind_a_file_or_in_a_folder_that_refuses_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="part of the path is a file"):
        require_writable(tmp_path / "file" / "x.json")

    def refuse(self: Path, *arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(ConfigError, match="read-only: name another folder"):
        require_writable(tmp_path / "x.json")


def test_an_output_that_is_also_read_is_refused(chain, capsys):
    model = str(chain / "vae" / "model.safetensors")
    assert main(["sample", *settings("mnist_vae"), "--model", model, "--out", model]) == 2
    assert "--model" in capsys.readouterr().err
    load_model(Path(model))


@pytest.mark.parametrize("change", ["sample.num_samples=1", "evaluate.nelbo.num_images=1"])
def test_one_of_anything_is_refused_with_its_key(chain, tmp_path, change, capsys):
    assert train_vae(chain, tmp_path / "model.safetensors", change) == 2
    assert change.partition("=")[0] in capsys.readouterr().err


def test_one_test_image_is_refused_when_the_data_are_prepared(tmp_path, capsys):
    words = settings("mnist_vae", "data.num_test=1")
    assert main(["prepare", *words, "--out", str(tmp_path / "data.safetensors")]) == 2
    assert "data.num_test" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_file_that_may_not_be_read_is_not_called_absent_or_to_be_deleted(
    chain, tmp_path, monkeypatch, capsys, number
):
    """As root everything may be read, so the refusal is put in the way."""
    model, original = chain / "vae" / "model.safetensors", builtins.open

    def refuse(file: object, *arguments: object, **options: object) -> object:
        if Path(str(file)) == model:
            raise OSError(number, os.strerror(number), str(file))
        return original(file, *arguments, **options)

    monkeypatch.setattr(builtins, "open", refuse)
    assert (
        main(["sample", *settings("mnist_vae"), "--model", str(model), "--out", str(tmp_path / "s.safetensors")]) == 2
    )
    message = capsys.readouterr().err
    assert str(model) in message and os.strerror(number) in message
    assert "delete" not in message and "no such" not in message


def test_links_in_a_circle_are_named(chain, tmp_path, capsys):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for option in ("--model", "--out"):
        files = {"--model": str(chain / "vae" / "model.safetensors"), "--out": str(tmp_path / "x.safetensors")}
        files[option] = str(tmp_path / "a" / "x.safetensors")
        words = [part for pair in files.items() for part in pair]
        assert main(["sample", *settings("mnist_vae"), *words]) == 2
        assert "circle" in capsys.readouterr().err
