"""MNIST's idx files: small ones made here, and the originals where the data root has them."""

from __future__ import annotations

import gzip
import hashlib
import struct

import numpy as np
import pytest

from lsgm.config import ConfigError, DataConfig
from lsgm.data.readers import mnist
from lsgm.data.readers.mnist import IdxFile, read_idx_images, read_mnist

COUNT = 5
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28), dtype=np.uint8)


def idx(magic: int = 2051, count: int = COUNT, side: int = 28, body: bytes = IMAGES.tobytes()) -> bytes:
    return struct.pack(">4I", magic, count, side, side) + body


def part(data: bytes, name: str = "images") -> IdxFile:
    packed = gzip.compress(data, mtime=0)
    return IdxFile(name, COUNT, hashlib.md5(packed).hexdigest(), hashlib.md5(data).hexdigest())


@pytest.fixture(params=["images", "images.gz"])
def write(request, tmp_path):
    def _write(data: bytes):
        path = tmp_path / request.param
        path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
        return path

    return _write


def test_images_are_read_packed_and_unpacked(write):
    images = read_idx_images(write(idx()), part(idx()))
    assert np.array_equal(images[:, 0], IMAGES) and images.shape == (COUNT, 1, 28, 28)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (idx(magic=2049), "magic number 2049, expected 2051"),
        (idx(count=6), "[6, 28, 28]"),
        (idx(side=27), "[5, 27, 27]"),
        (idx()[:-1], "expected 3,936"),
        (idx() + b"\0", "expected 3,936"),
        (idx()[:9], "replace it"),
    ],
)
def test_files_that_do_not_fit_say_so(write, data, message):
    path = write(data)
    with pytest.raises(ConfigError) as error:
        read_idx_images(path, part(data))
    assert str(path) in str(error.value)
    if len(data) >= 16 or path.suffix != ".gz":
        assert message in str(error.value) or "unpacked" in str(error.value)


def test_other_images_are_refused_with_both_checksums(write):
    other = idx(body=bytes(IMAGES.nbytes))
    path = write(other)
    with pytest.raises(ConfigError) as error:
        read_idx_images(path, part(idx()))
    found = hashlib.md5(other).hexdigest()
    assert f"content md5:{found}" in str(error.value) and "expected md5:" in str(error.value)


def test_content_counts_and_not_how_it_is_packed(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx(), compresslevel=1, mtime=7))
    assert np.array_equal(read_idx_images(path, part(idx()))[:, 0], IMAGES)


@pytest.mark.parametrize("length", [0, 1, 5, 20, 1000])
def test_truncated_gzip_is_refused(tmp_path, length):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx())[:length])
    with pytest.raises(ConfigError, match=r"images\.gz"):
        read_idx_images(path, part(idx()))


def test_gzip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx() + bytes(10**8)))
    with pytest.raises(ConfigError, match="3,937 bytes unpacked, expected 3,936"):
        read_idx_images(path, part(idx()))


@pytest.mark.parametrize("layout", ["mnist/{}.gz", "mnist/{}", "MNIST/raw/{}.gz", "MNIST/raw/{}"])
def test_layouts_of_the_data_root(tmp_path, monkeypatch, layout):
    for name in ("TRAIN", "TEST"):
        monkeypatch.setattr(mnist, name, part(idx(), name.lower()))
        path = tmp_path / layout.format(name.lower())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(idx(), mtime=0) if path.suffix == ".gz" else idx())
    raw = read_mnist(DataConfig(name="mnist", num_test=2), tmp_path, False)
    assert len(raw.train) == COUNT and len(raw.test) == 2


def test_absent_files_are_named_with_checksum_and_address(tmp_path):
    with pytest.raises(ConfigError) as error:
        read_mnist(DataConfig(name="mnist"), tmp_path, False)
    message = str(error.value)
    assert "mnist/train-images-idx3-ubyte.gz" in message
    assert "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873" in message and "https://" in message and "--download" in message


def test_the_originals(data_root):
    raw = read_mnist(DataConfig(name="mnist"), data_root, False)
    assert raw.train.shape == (60_000, 1, 28, 28) and raw.test.shape == (10_000, 1, 28, 28)
    # Well-known mean intensity of the training images.
    assert abs(raw.train.mean() / 255 - 0.1307) < 5e-5
    assert raw.notes == ()
