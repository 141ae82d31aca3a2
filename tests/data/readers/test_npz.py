"""Arrays of one's own."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lsgm.config import ConfigError, DataConfig
from lsgm.data.npz_arrays import read_npy
from lsgm.data.readers.npz import read_npz_file

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 3, 6, 8), dtype=np.uint8)


def read(path: Path, **settings):
    return read_npz_file(DataConfig(name="npz", path=str(path), **settings), None, False)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.npz"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("keys", [("train_images", "test_images"), ("train", "test")])
@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 2, 3, 1)])
def test_keys_and_orders_of_axes(path, save, keys, axes):
    save(path, **{keys[0]: IMAGES[:15].transpose(axes), keys[1]: IMAGES[15:].transpose(axes)})
    raw = read(path)
    assert np.array_equal(raw.train, IMAGES[:15]) and np.array_equal(raw.test, IMAGES[15:])


def test_arrays_in_fortran_order(path):
    np.savez(path, train=np.asfortranarray(IMAGES), test=IMAGES)
    assert np.array_equal(read(path).train, IMAGES)


def test_grey_images_need_no_channel_axis(path):
    np.savez(path, train=IMAGES[:, 0], test=IMAGES[:2, 0])
    assert np.array_equal(read(path).train, IMAGES[:, :1])


def test_a_single_array_is_split(path):
    np.savez(path, images=IMAGES, labels=np.arange(20))
    raw = read(path, test_fraction=0.25)
    assert len(raw.test) == 5
    rows = [image.tobytes() for image in (*raw.train, *raw.test)]
    assert sorted(rows) == sorted(image.tobytes() for image in IMAGES)
    assert np.array_equal(read(path, test_fraction=0.25).test, raw.test)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": IMAGES}, "holds x; expected train_images"),
        ({"images": IMAGES.astype(np.float32)}, "type float32"),
        ({"images": IMAGES[:1]}, "leave a part empty"),
        ({"images": IMAGES[0, 0]}, r"shape \(6, 8\)"),
        ({"images": IMAGES[:, :, :, :3]}, "channels first or last"),
        ({"images": IMAGES[:, :2]}, "no axis of 1 or 3 channels"),
        ({"images": IMAGES > 9}, r"np\.rint\(255\.0 \* images\)"),
        ({"images": IMAGES / 255}, r"np\.rint\(255\.0 \* images\)"),
        ({"images": (IMAGES > 9).astype(np.uint8)}, r"0 to 1; .* np\.rint\(255\.0 \* images\)"),
        ({"images": IMAGES.astype(np.int64)}, r"int64.* np\.rint\(images\)"),
        ({"images": IMAGES / 127.5 - 1}, "scaled to 0 to 255"),
        ({"images": IMAGES * 257.0}, "scaled to 0 to 255"),
        ({"images": IMAGES[:, 0, :, :2]}, "narrow"),
        ({"images": np.arange(20, dtype=np.uint8)}, "labels"),
        ({"train": IMAGES, "Test": IMAGES}, "Test, train, which is half a split"),
        ({"train_images": IMAGES, "val_images": IMAGES}, "half a split"),
        ({"images": np.array([None, 3])}, "Python objects"),
        ({"train": IMAGES, "test": IMAGES[:, :, :5]}, "one shape"),
        ({"train": IMAGES, "test": IMAGES[:0]}, "no test images"),
    ],
)
def test_arrays_that_are_no_images_are_refused(path, arrays, message):
    np.savez(path, **arrays)
    with pytest.raises(ConfigError, match=message):
        read(path)


def test_arrays_left_out_and_repeated_images_are_noted(path):
    np.savez(path, train=IMAGES[[0, 1, 2, 0]], test=IMAGES[2:6], labels=np.arange(4), val=IMAGES)
    notes = read(path).notes
    assert "arrays left out: labels, val" in notes
    assert "1 training images repeat another one" in notes
    assert "1 test images are training images too" in notes


def header(shape: str) -> bytes:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text + b"\n"


@pytest.mark.parametrize("shape", ["(10**5, 3, 8, 8)", "(99999999999, 3, 8, 8)", "(1000, 3, 8, 8)", "(-1, 3, 8, 8)"])
def test_headers_that_claim_too_much_are_refused(path, shape):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", header(shape) + bytes(100))
    with pytest.raises(ConfigError, match=r"mine\.npz"):
        read(path)


def test_damaged_files_give_user_errors_only(path):
    np.savez_compressed(path, images=IMAGES)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(200):
        data = bytearray(whole[: rng.integers(len(whole))] if rng.random() < 0.5 else whole)
        for position in rng.integers(0, len(data), 2) if data else ():
            data[position] = rng.integers(256)
        path.write_bytes(data)
        try:
            read(path)
        except ConfigError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("length", [0, 3, 20, 150])
def test_truncated_npy_is_refused(tmp_path, length):
    stream = io.BytesIO()
    np.save(stream, IMAGES)
    path = tmp_path / "x.npy"
    path.write_bytes(stream.getvalue()[:length])
    with pytest.raises(ConfigError, match=r"x\.npy"):
        read_npy(path)


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8, 1), (3, 8, 8)])
def test_one_picture_is_not_taken_for_many_narrow_ones(tmp_path, shape):
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros(shape, np.uint8))
    with pytest.raises(ConfigError, match=r"store them as \(N, H, W, C\)"):
        read_npz_file(DataConfig(name="npz", path=str(path)), None, False)
