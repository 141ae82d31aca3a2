"""What is known of a data set's files before they are read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from lsgm.config import ConfigError, DataConfig, load_experiment
from lsgm.data_files import Listing, listing, require_fit

CONFIG = Path(__file__).parents[1] / "config"
MINE = DataConfig(name="folder", path="mine")


def write(path: Path, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (1, 2, 3)).save(path)


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for index in range(3):
        write(tmp_path / "root" / "mine" / "a" / f"{index}.png")
    return tmp_path / "root"


def test_a_listing_follows_the_files_and_not_their_place(root, tmp_path):
    before = listing(MINE, root)
    assert before == listing(MINE, root)
    moved = shutil.copytree(root, tmp_path / "elsewhere")  # with file times
    assert listing(MINE, moved) == before
    assert listing(DataConfig(name="folder", path=str(moved / "mine")), None) == before
    os.utime(moved / "mine" / "a" / "1.png", ns=(5, 5))
    touched = listing(MINE, moved)
    assert touched.digest != before.digest
    (moved / "mine" / "a" / "1.png").rename(moved / "mine" / "a" / "b.png")
    assert listing(MINE, moved).digest not in (before.digest, touched.digest)


def test_images_behind_a_link_are_listed(root, tmp_path):
    write(tmp_path / "linked" / "3.png")
    (root / "mine" / "b").symlink_to(tmp_path / "linked")
    before = listing(MINE, root)
    write(tmp_path / "linked" / "4.png")
    assert listing(MINE, root) != before


@pytest.mark.parametrize("name", ["digits", "mnist", "omniglot", "omniglot_originals", "cifar10", "celebahq256"])
def test_where_there_is_no_file_the_listing_is_empty(name, tmp_path):
    for place in (None, tmp_path, tmp_path / "absent"):
        assert listing(DataConfig(name=name), place) == Listing()


@pytest.mark.parametrize("config", [MINE, DataConfig(name="npz", path="mine.npz")], ids=["folder", "npz"])
def test_images_that_are_gone_give_an_empty_listing(config, tmp_path):
    assert listing(config, tmp_path) == Listing()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("npz", "mine.npz"),
        ("omniglot", "omniglot/chardata.mat"),
        ("omniglot_originals", "omniglot/images_evaluation.npz"),
        ("cifar10", "cifar10/cifar10_test_0.png"),
        ("cifar10", "cifar10/b.npz"),
        ("celebahq256", "celeba_hq/validation/3.png"),
    ],
)
def test_a_file_without_a_published_checksum_is_noticed_when_it_is_replaced(tmp_path, name, file):
    put(tmp_path, file)
    config = DataConfig(name=name, path="mine.npz" if name == "npz" else None)
    before = listing(config, tmp_path)
    (tmp_path / file).write_text("another content")
    after = listing(config, tmp_path)
    assert before.digest and after.digest and before.digest != after.digest
    assert after.newest == (tmp_path / file).stat().st_mtime_ns


def test_a_published_archive_counts_by_its_name_alone(tmp_path):
    config = DataConfig(name="cifar10")
    put(tmp_path, "cifar10/cifar10_test_0.png")
    mosaics = listing(config, tmp_path)
    put(tmp_path, "cifar10/cifar-10-python.tar.gz")
    archive = listing(config, tmp_path)
    assert archive.digest != mosaics.digest, "it is read in their place"
    os.utime(tmp_path / "cifar10" / "cifar-10-python.tar.gz", ns=(5, 5))
    assert listing(config, tmp_path) == archive
    put(tmp_path, "cifar10/cifar-10-python.tar.gz.part")
    assert listing(config, tmp_path) == archive


def test_hidden_files_hide_no_misfit(root):
    """As a Mac leaves them beside every image on other disks."""
    for index in range(200):
        write(root / "mine" / "a" / f"{index}.png", (8, 16))
        put(root / "mine" / "a", f"._{index}.png")
    words = ["data={name: folder, path: mine}", "train.batch_size=8"]
    config = load_experiment(CONFIG / "experiments" / "cifar10_balanced.yaml", None, None, words)
    with pytest.raises(ConfigError, match="16x8"):
        require_fit(config, root)
