"""CelebA-HQ: layouts and counts, with a few faces standing for all."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lsgm.config import ConfigError, DataConfig
from lsgm.data.readers import celebahq256
from lsgm.data.readers.celebahq256 import read_celebahq256

CONFIG = DataConfig(name="celebahq256")
FACES = np.random.default_rng(0).integers(0, 256, (5, 256, 256, 3), dtype=np.uint8)
PARTS = {"train": FACES[:3], "validation": FACES[3:]}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(celebahq256, "COUNTS", {"train": 3, "validation": 2})


def write(root, layout: str) -> None:
    folder = root / ("celeba_hq" if layout == "npy" else "celebahq256")
    folder.mkdir()
    for part, faces in PARTS.items():
        if layout == "png":
            (folder / part).mkdir()
            for index, face in enumerate(faces):
                Image.fromarray(face).save(folder / part / f"{index:05}.png")
        elif layout == "npy":
            np.save(folder / f"{part}_0.npy", faces[:1])
            np.save(folder / f"{part}_1.npy", faces[1:].transpose(0, 3, 1, 2))
        else:
            np.savez(folder / f"{part}.npz", images=faces)


@pytest.mark.parametrize("layout", ["png", "npy", "npz"])
def test_all_layouts_give_the_same_faces(tmp_path, small, layout):
    write(tmp_path, layout)
    raw = read_celebahq256(CONFIG, tmp_path, False)
    assert np.array_equal(raw.train.transpose(0, 2, 3, 1), PARTS["train"])
    assert np.array_equal(raw.test.transpose(0, 2, 3, 1), PARTS["validation"])
    fewer = read_celebahq256(DataConfig(name="celebahq256", num_train=1), tmp_path, False)
    assert fewer.train.shape == (1, 3, 256, 256)
    assert "train: 1 of 3 images, drawn with a fixed seed" in fewer.notes


def test_other_counts_and_absent_files_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="never fetched; expected are the 27,000/3,000"):
        read_celebahq256(CONFIG, tmp_path, True)
    write(tmp_path, "png")
    with pytest.raises(ConfigError, match="3 train images, expected 27,000"):
        read_celebahq256(CONFIG, tmp_path, False)


def test_other_sizes_are_refused(tmp_path, small):
    (tmp_path / "celebahq256").mkdir()
    np.save(tmp_path / "celebahq256" / "train.npy", FACES[:3, :128, :128])
    with pytest.raises(ConfigError, match=r"\(3, 128, 128\), expected \(3, 256, 256\)"):
        read_celebahq256(CONFIG, tmp_path, False)
