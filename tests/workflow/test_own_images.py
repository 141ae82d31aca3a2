"""Own images in the workflow: added ones are noticed; those that no network can take are refused when planning."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from workflow.small_checkout import call, make_checkout

pytest.importorskip("snakemake", reason="the workflow needs snakemake (pip install 'lsgm[workflow]')")

EXPERIMENTS = {
    "mine_vae": "data: {name: folder, path: mine, test_fraction: 0.3}\nvae: {channel_mult: [1, 2]}\n",
    "mine": "backbone: mine_vae\nobjective: {weighting: un, time: is}\n",
}
NOTHING = "Nothing to be done"
CHAIN = "results/test/mine/model.safetensors"
RNG = np.random.default_rng(0)


def add(folder: Path, names, size: tuple[int, int] = (8, 8)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        pixels = RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    make_checkout(folder)
    for name, text in EXPERIMENTS.items():
        (folder / "config" / "experiments" / f"{name}.yaml").write_text(text)
    return folder


def plan(folder: Path, *words: str, fails: bool = False) -> str:
    return call(folder, "snakemake", "--dry-run", "--cores", "1", *words, fails=fails)


def data_file(printed: str, name: str) -> str:
    """The prepared file of a data set that a plan names."""
    return next(word for word in printed.split() if word.startswith(f"results/test/data/{name}"))


def test_added_and_replaced_images_are_noticed(checkout):
    add(checkout / "mine", range(300))
    target = data_file(plan(checkout, CHAIN), "folder")
    call(checkout, "snakemake", "--cores", "1", target)
    assert NOTHING in plan(checkout, target)
    add(checkout / "mine", ["one more"])
    assert "Params have changed" in plan(checkout, target)
    call(checkout, "snakemake", "--cores", "1", target)
    assert NOTHING in plan(checkout, target)
    add(checkout / "mine", ["7"])
    assert "Params have changed" in plan(checkout, target)


def test_a_clone_without_the_images_is_up_to_date(checkout):
    add(checkout / "mine", range(300))
    target = data_file(plan(checkout, CHAIN), "folder")
    call(checkout, "snakemake", "--cores", "1", target)
    (checkout / "mine").rename(checkout / "away")
    assert NOTHING in plan(checkout, target)
    (checkout / "elsewhere").mkdir()
    (checkout / "away").rename(checkout / "elsewhere" / "mine")
    assert NOTHING in plan(checkout, target, "--config", f"data_root={checkout / 'elsewhere'}")


def test_equal_images_of_another_time_train_nothing_anew(checkout):
    add(checkout / "mine", range(300))
    model = checkout / "results" / "test" / "mine_vae" / "model.safetensors"
    target = str(model.relative_to(checkout))
    call(checkout, "snakemake", "--cores", "1", target)
    before, data = model.with_name("training.json").read_bytes(), prepared(checkout).read_bytes()
    os.utime(checkout / "mine" / "7.png", ns=(5, 5))
    assert "Params have changed" in plan(checkout, target)
    call(checkout, "snakemake", "--cores", "1", target)
    assert prepared(checkout).read_bytes() == data
    assert model.with_name("training.json").read_bytes() == before, "with the time at which it finished"


def prepared(folder: Path) -> Path:
    (file,) = (folder / "results" / "test" / "data").glob("folder-*.safetensors")
    return file


def made(folder: Path, *files: str, words: tuple[str, ...] = ()) -> None:
    """Let these files pass for made by the workflow, in this order."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("x")
    call(folder, "snakemake", "--cores", "1", "--touch", "--forceall", files[-1], *words)


def test_files_that_prepare_fetched_itself_are_no_change(checkout, tmp_path):
    scale = checkout / "config" / "scales" / "test.yaml"
    scale.write_text(scale.read_text().replace("data: {name: digits}", "data: {name: omniglot}"))
    words = ("--config", f"data_root={tmp_path}")
    target = data_file(plan(checkout, "all_tables", *words), "omniglot")
    made(checkout, target, words=words)
    fetched = tmp_path / "omniglot" / "chardata.mat"
    fetched.parent.mkdir()
    fetched.write_text("x")
    earlier = (checkout / target).stat().st_mtime_ns - 10**9
    os.utime(fetched, ns=(earlier, earlier))
    assert NOTHING in plan(checkout, target, *words)
    fetched.write_text("another")
    assert "Params have changed" in plan(checkout, target, *words)


def test_replaced_weights_of_the_feature_network_redo_the_evaluation_alone(checkout, tmp_path):
    add(checkout / "mine", range(300))
    scale = checkout / "config" / "scales" / "test.yaml"
    scale.write_text(scale.read_text().replace("features: random_conv", "features: resnet56_cifar10"))
    words, weights = ("--config", f"data_root={tmp_path}"), tmp_path / "cifar_resnet" / "resnet56_cifar10.npz"
    weights.parent.mkdir()
    weights.write_text("x")
    run = "results/test/mine_vae"
    data = data_file(plan(checkout, f"{run}/metrics.json", *words), "folder")
    beside = [f"{run}/{name}" for name in ("model.config.yaml", "training.json", "curves.jsonl", "model.safetensors")]
    made(checkout, data, *beside, f"{run}/samples.safetensors", f"{run}/metrics.json", words=words)
    assert NOTHING in plan(checkout, f"{run}/metrics.json", *words)
    weights.write_text("another")
    jobs = re.findall(r"^(\w+) +\d+$", plan(checkout, f"{run}/metrics.json", *words), re.MULTILINE)
    assert set(jobs) == {"evaluate", "total"}
    weights.unlink()
    assert NOTHING in plan(checkout, f"{run}/metrics.json"), "as where no data root is set"


def test_images_that_are_not_square_are_refused_before_the_vae_is_trained(checkout):
    add(checkout / "mine", range(300), (8, 16))
    assert "square" in plan(checkout, CHAIN, fails=True)
    assert "pretrain" in plan(checkout, "results/test/mine_vae/model.safetensors"), "a VAE alone takes them"


def test_too_few_images_for_a_batch_of_stage_2_are_refused_before_stage_1(checkout):
    add(checkout / "mine", range(30))
    small = "pretrain: {batch_size: 4}\n"
    file = checkout / "config" / "experiments" / "mine_vae.yaml"
    file.write_text(file.read_text() + small)
    scale = checkout / "config" / "scales" / "test.yaml"
    scale.write_text(scale.read_text().replace("batch_size: 16, log_every", "batch_size: 64, log_every"))
    assert "train.batch_size is 64" in plan(checkout, CHAIN, fails=True)
