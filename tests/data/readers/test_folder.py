"""A folder of one's own images."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsgm.config import ConfigError, DataConfig
from lsgm.data import image_files
from lsgm.data.readers.folder import read_folder, split_by_name

RNG = np.random.default_rng(0)
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n%%EndComments\nshowpage\n%%EOF\n"


def write(path: Path, size=(8, 6), mode: str = "RGB") -> np.ndarray:
    """A random image of (width, height); returns its pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], len(mode)) if len(mode) > 1 else (size[1], size[0])
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(pixels, mode="RGBA" if mode == "RGBA" else None).save(path)
    return pixels


def read(folder: Path, **settings):
    return read_folder(DataConfig(name="folder", path=str(folder), **settings), None, False)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_subfolders_are_the_parts(tmp_path, mode):
    pixels = {name: write(tmp_path / name, mode=mode) for name in ("train/b.png", "train/sub/a.PNG", "test/c.png")}
    write(tmp_path / "train" / ".hidden.png", (3, 3))
    (tmp_path / "train" / "notes.txt").write_text("no image")
    raw = read(tmp_path)
    expected = [pixels["train/b.png"], pixels["train/sub/a.PNG"], pixels["test/c.png"]]
    found = [*raw.train, *raw.test]
    assert len(raw.train) == 2
    for image, wanted in zip(found, expected, strict=True):
        assert np.array_equal(image.transpose(1, 2, 0) if mode == "RGB" else image[0], wanted)


def test_without_subfolders_a_hash_of_the_name_splits(tmp_path):
    names = [tmp_path / f"{index}.png" for index in range(2000)]
    parts = split_by_name(tmp_path, names, 0.1)
    assert 150 < len(parts["test"]) < 250 and len(parts["train"]) + len(parts["test"]) == 2000
    fewer = split_by_name(tmp_path, names[:1000], 0.1)
    assert set(fewer["test"]) == set(parts["test"]) & set(names[:1000])
    moved = split_by_name(tmp_path / "x", [tmp_path / "x" / name.name for name in names], 0.1)
    assert [path.name for path in moved["test"]] == [path.name for path in parts["test"]]


def test_split_folder_is_read_whole_and_the_same_every_time(tmp_path):
    for index in range(30):
        write(tmp_path / f"{index}.png")
    first, second = (read(tmp_path, test_fraction=0.3) for _ in range(2))
    assert len(first.train) + len(first.test) == 30
    assert np.array_equal(first.test, second.test) and first.sources == second.sources


def test_mixed_sizes_and_modes_name_two_files(tmp_path):
    write(tmp_path / "train" / "a.png")
    write(tmp_path / "test" / "b.png", (9, 6))
    with pytest.raises(ConfigError, match=r"a\.png is 8x6 RGB, .*b\.png is 9x6 RGB"):
        read(tmp_path)
    write(tmp_path / "test" / "b.png", mode="L")
    with pytest.raises(ConfigError, match=r"a\.png is 8x6 RGB, .*b\.png is 8x6 grey"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n", EPS])
def test_unreadable_images_are_named(tmp_path, content):
    write(tmp_path / "train" / "a.png")
    write(tmp_path / "test" / "b.png")
    (tmp_path / "test" / "b.png").write_bytes(content)
    with pytest.raises(ConfigError, match=r"b\.png") as error:
        read(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff"])
def test_truncated_images_are_named(tmp_path, suffix):
    write(tmp_path / "train" / f"a{suffix}", (40, 40))
    path = tmp_path / "test" / f"b{suffix}"
    write(path, (40, 40))
    assert read(tmp_path).train.shape == (1, 3, 40, 40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ConfigError, match="b" + suffix):
        read(tmp_path)


def test_transparency_is_refused_and_lossless_modes_are_read(tmp_path):
    write(tmp_path / "train" / "a.png", mode="RGBA")
    write(tmp_path / "test" / "b.png", mode="RGBA")
    with pytest.raises(ConfigError, match="image mode RGBA"):
        read(tmp_path)
    shutil.rmtree(tmp_path / "train")
    shutil.rmtree(tmp_path / "test")
    bits = RNG.random((6, 8)) > 0.5
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        Image.fromarray(bits).save(tmp_path / part / "x.png")
    assert np.array_equal(read(tmp_path).train[0, 0], bits * np.uint8(255))


def test_too_many_pixels_are_not_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "MAX_PIXELS", 40)
    write(tmp_path / "train" / "a.png")
    write(tmp_path / "test" / "b.png")
    with pytest.raises(ConfigError, match="8x6 pixels; at most 40"):
        read(tmp_path)


def test_empty_folders_are_errors(tmp_path):
    with pytest.raises(ConfigError, match="no image files"):
        read(tmp_path)
    write(tmp_path / "train" / "a.png")
    (tmp_path / "test").mkdir()
    with pytest.raises(ConfigError, match="part 'test'"):
        read(tmp_path)


def test_relative_path_is_found_below_the_data_root(tmp_path):
    write(tmp_path / "mine" / "train" / "a.png")
    write(tmp_path / "mine" / "test" / "b.png")
    raw = read_folder(DataConfig(name="folder", path="mine"), tmp_path, False)
    assert raw.title == "mine (own images)"


def test_real_faces(data_root):
    if not (data_root / "celebahq_sample").is_dir():
        pytest.skip("no folder celebahq_sample in the data root")
    config = DataConfig(name="folder", path="celebahq_sample", num_train=5, num_test=2)
    assert read_folder(config, data_root, False).train.shape == (5, 3, 256, 256)
