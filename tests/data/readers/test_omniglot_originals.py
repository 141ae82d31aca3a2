"""The 105x105 originals: exact area averages, both forms of the files."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from lsgm.config import ConfigError, DataConfig
from lsgm.data.readers import omniglot_originals
from lsgm.data.readers.omniglot_originals import read_omniglot_originals, read_zip, reduce_ink

PAPER = np.random.default_rng(0).random((6, 105, 105)) > 0.1


def png(paper: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(paper).save(stream, "PNG")
    return stream.getvalue()


def write_zip(path, images, folder="images_background") -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for index in reversed(range(len(images))):
            archive.writestr(f"{folder}/Greek/character{index // 2 + 1:02}/0001_{index:02}.png", png(images[index]))
        archive.writestr(f"{folder}/readme.txt", "no image")
        archive.writestr("../outside.png", b"no image either")


def test_reduction_is_the_area_average():
    ink = ~PAPER
    # 4x4 copies of each pixel make the blocks of 3.75 pixels whole: 15x15.
    fine = ink.repeat(4, 1).repeat(4, 2).reshape(6, 28, 15, 28, 15)
    average = 255 * fine.mean(axis=(2, 4))
    reduced = reduce_ink(ink)[:, 0]
    assert np.abs(reduced - average).max() <= 0.5 + 1e-9
    assert reduce_ink(np.ones((1, 105, 105), bool)).min() == 255
    assert reduce_ink(np.zeros((1, 105, 105), bool)).max() == 0


@pytest.mark.parametrize("form", ["zip", "npz"])
def test_both_forms_give_the_same_images(tmp_path, monkeypatch, form):
    folder = tmp_path / "omniglot"
    folder.mkdir()
    for name, images in (("images_background", PAPER[:4]), ("images_evaluation", PAPER[4:])):
        if form == "zip":
            write_zip(folder / f"{name}.zip", images, name)
        else:
            np.savez_compressed(folder / f"{name}.npz", images=images.reshape(-1, 2, 105, 105))
    monkeypatch.setattr(omniglot_originals, "COUNTS", {"images_background": 4, "images_evaluation": 2})
    monkeypatch.setattr(omniglot_originals, "_MD5", dict.fromkeys(omniglot_originals.COUNTS))
    raw = read_omniglot_originals(DataConfig(name="omniglot_originals"), tmp_path, False)
    assert np.array_equal(raw.train, reduce_ink(~PAPER[:4])) and np.array_equal(raw.test, reduce_ink(~PAPER[4:]))
    assert "not the split of the paper's Table 4" in raw.title


def test_an_unpublished_zip_is_refused(tmp_path):
    (tmp_path / "omniglot").mkdir()
    write_zip(tmp_path / "omniglot" / "images_background.zip", PAPER)
    with pytest.raises(ConfigError, match="expected md5:68d2efa1b9178cc56df9314c21c6e718"):
        read_omniglot_originals(DataConfig(name="omniglot_originals"), tmp_path, False)


def test_other_counts_are_refused(tmp_path):
    (tmp_path / "omniglot").mkdir()
    np.savez(tmp_path / "omniglot" / "images_background.npz", images=PAPER)
    with pytest.raises(ConfigError, match="6 images, expected 19,280"):
        read_omniglot_originals(DataConfig(name="omniglot_originals"), tmp_path, False)


def test_damaged_archives_are_refused_and_nothing_is_unpacked(tmp_path):
    path = tmp_path / "x.zip"
    write_zip(path, PAPER)
    assert np.array_equal(read_zip(path), PAPER)
    assert [file.name for file in tmp_path.iterdir()] == ["x.zip"]
    whole = path.read_bytes()
    for data in (b"", whole[:100], whole[:-30], whole[:500] + bytes(40) + whole[540:]):
        path.write_bytes(data)
        with pytest.raises(ConfigError, match=r"x\.zip"):
            read_zip(path)


def test_a_zip_bomb_is_refused(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images_background/Greek/character01/0001_01.png", bytes(10**7))
    with pytest.raises(ConfigError, match="10,000,000 bytes"):
        read_zip(path)


def test_the_originals(data_root):
    config = DataConfig(name="omniglot_originals", num_train=300, num_test=200)
    raw = read_omniglot_originals(config, data_root, False)
    assert raw.train.shape == (300, 1, 28, 28) and raw.test.shape == (200, 1, 28, 28)
    assert 0.05 < raw.train.mean() / 255 < 0.11
    assert "train: 300 of 19,280 images, drawn with a fixed seed" in raw.notes
