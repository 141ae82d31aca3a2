"""Own images in the workflow: added ones are noticed; those that no network can take are refused when planning."""

from __future__ import annotations

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


def test_added_and_replaced_images_are_noticed(checkout):
    add(checkout / "mine", range(300))
    target = next(word for word in plan(checkout, CHAIN).split() if word.startswith("results/test/data/folder"))
    call(checkout, "snakemake", "--cores", "1", target)
    assert "Nothing to be done" in plan(checkout, target)
    add(checkout / "mine", ["one more"])
    assert "Params have changed" in plan(checkout, target)
    call(checkout, "snakemake", "--cores", "1", target)
    assert "Nothing to be done" in plan(checkout, target)
    add(checkout / "mine", ["7"])
    assert "Params have changed" in plan(checkout, target)


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
