"""Names with spaces and signs of the shell reach the commands whole; hidden files stop nothing; mistakes are a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from workflow.small_checkout import call, make_checkout

pytest.importorskip("snakemake", reason="the workflow needs snakemake (pip install 'lsgm[workflow]')")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parent") / "it's a $HOME checkout"
    folder.mkdir()
    make_checkout(folder)
    return folder


def test_a_rule_runs_in_a_checkout_of_any_name(checkout):
    planned = call(checkout, "snakemake", "--dry-run", "--cores", "1", "results/test/mnist_vae/model.safetensors")
    data = next(word for word in planned.split() if word.startswith("results/test/data/digits"))
    call(checkout, "snakemake", "--cores", "1", data)
    assert (checkout / data).is_file()


def test_a_folder_of_checkpoints_with_a_space_is_quoted(checkout, tmp_path):
    folder = tmp_path / "my $checkpoints"
    folder.mkdir()
    (folder / "mnist.pt").touch()
    words = ["--dry-run", "--printshellcmds", "--cores", "1", "--config", "scale=official", f"official={folder}"]
    planned = call(checkout, "snakemake", *words, "--", "results/official/mnist/model.safetensors")
    assert f"'{folder / 'mnist.pt'}'" in planned


@pytest.mark.parametrize("name", ["config/experiments/._mnist.yaml", "config/scales/._demo.yaml"])
def test_hidden_files_stop_nothing(checkout, name):
    (checkout / name).write_bytes(b"\x00\x05\x16\x07")
    try:
        call(checkout, "snakemake", "--dry-run", "--cores", "1", "results/test/mnist_vae/model.safetensors")
    finally:
        (checkout / name).unlink()


@pytest.mark.parametrize(("typed", "word"), [("seeds=3", "seeds"), ("dataroot=x", "data_root"), ("scale=huge", "huge")])
def test_a_mistake_in_a_setting_is_one_line(checkout, typed, word):
    said = call(checkout, "snakemake", "--dry-run", "--cores", "1", "--config", typed, fails=True)
    lines = [line for line in said.splitlines() if line.strip() and "profile" not in line and "extended" not in line]
    assert len(lines) == 1 and word in lines[0] and lines[0].startswith("lsgm: error:"), said


def test_an_experiment_whose_name_no_rule_can_take_is_named(checkout):
    file = checkout / "config" / "experiments" / "my faces.yaml"
    file.write_text("data: {name: digits}\n")
    try:
        said = call(checkout, "snakemake", "--dry-run", "--cores", "1", fails=True)
        assert "my faces.yaml" in said and "Traceback" not in said
    finally:
        file.unlink()
