"""CIFAR-10 in its three forms, and pickles that try to do more than hold an array."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

from lsgm.config import ConfigError, DataConfig
from lsgm.data.readers import cifar10
from lsgm.data.readers.cifar10 import ARCHIVE, TEST_MEMBER, TRAIN_MEMBERS, read_archive, read_cifar10, read_mosaics
from lsgm.data.readers.cifar10_pickle import read_batch
from lsgm.data.source_files import SourceFile, checksum_of

RNG = np.random.default_rng(0)
TRAIN = RNG.integers(0, 256, (10, 3, 32, 32), dtype=np.uint8)
TEST = RNG.integers(0, 256, (2, 3, 32, 32), dtype=np.uint8)
CONFIG = DataConfig(name="cifar10")


def batch(images: np.ndarray, protocol: int = 2) -> bytes:
    rows = {b"data": images.reshape(len(images), -1), b"labels": [3] * len(images), b"filenames": [b"a.png"]}
    return pickle.dumps(rows, protocol=protocol)


def write_archive(path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def members() -> dict[str, bytes]:
    train = {name: batch(TRAIN[2 * index : 2 * index + 2]) for index, name in enumerate(TRAIN_MEMBERS)}
    return {"cifar-10-batches-py/readme.html": b"x", **train, TEST_MEMBER: batch(TEST), "../evil": b"x"}


def nhwc(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def mosaic(images: np.ndarray) -> Image.Image:
    return Image.fromarray(nhwc(images).reshape(len(images), 1024, 3))


@pytest.fixture
def small(monkeypatch):
    """Let the images made here pass for the published ones."""
    monkeypatch.setattr(cifar10, "TRAIN_MD5", hashlib.md5(nhwc(TRAIN).tobytes()).hexdigest())
    monkeypatch.setattr(cifar10, "NUM_TEST", 2)


@pytest.mark.parametrize("form", ["archive", "npz", "mosaics"])
def test_all_forms_give_the_same_images(tmp_path, small, monkeypatch, form):
    folder = tmp_path / "cifar10"
    folder.mkdir()
    np.savez(folder / "a_meta.npz", train_labels=np.zeros(3))
    if form == "archive":
        path = folder / "cifar-10-python.tar.gz"
        write_archive(path, members())
        source = SourceFile("x", ARCHIVE.candidates, ARCHIVE.urls, checksum_of(path, "md5"), ARCHIVE.max_bytes)
        monkeypatch.setattr(cifar10, "ARCHIVE", source)
    elif form == "npz":
        np.savez(folder / "b.npz", train_images=nhwc(TRAIN), test_images=nhwc(TEST))
    else:
        mosaic(TRAIN[:6]).save(folder / "cifar10_batch_00.png")
        mosaic(TRAIN[6:]).save(folder / "cifar10_batch_01.png")
        mosaic(TEST).save(folder / "cifar10_test_0.png")
    raw = read_cifar10(CONFIG, tmp_path, False)
    assert np.array_equal(raw.train, TRAIN) and np.array_equal(raw.test, TEST)
    assert raw.notes == () and raw.sources


def test_missing_test_images_are_noted(tmp_path, small, monkeypatch):
    monkeypatch.setattr(cifar10, "NUM_TEST", 10_000)
    (tmp_path / "cifar10").mkdir()
    np.savez(tmp_path / "cifar10" / "cifar10.npz", train_images=nhwc(TRAIN), test_images=nhwc(TEST))
    assert read_cifar10(CONFIG, tmp_path, False).notes == ("test: 2 of 10,000 images",)


@pytest.mark.parametrize("train", [nhwc(TRAIN), nhwc(TRAIN)[:0], TRAIN, nhwc(TRAIN).astype(np.float32)])
def test_other_images_are_refused(tmp_path, train):
    (tmp_path / "cifar10").mkdir()
    np.savez(tmp_path / "cifar10" / "cifar10.npz", train_images=train, test_images=nhwc(TEST))
    with pytest.raises(ConfigError, match=r"17e2cb5a4119d89a4a13e02b91701bff|expected uint8"):
        read_cifar10(CONFIG, tmp_path, False)


def test_an_unpublished_archive_is_refused(tmp_path):
    write_archive(tmp_path / "cifar10" / "cifar-10-python.tar.gz", members())
    with pytest.raises(ConfigError, match="expected md5:40351d587109b95175f43aff81a1287e"):
        read_cifar10(CONFIG, tmp_path, False)


def test_an_archive_packed_anew_is_taken_and_other_test_images_are_not(tmp_path, small, monkeypatch):
    path = tmp_path / "cifar10" / "cifar-10-python.tar.gz"
    write_archive(path, members())
    published = f"md5:{hashlib.md5(members()[TEST_MEMBER]).hexdigest()}"
    monkeypatch.setattr(cifar10, "TEST_MEMBER_MD5", published)
    raw = read_cifar10(CONFIG, tmp_path, False)
    assert np.array_equal(raw.train, TRAIN) and np.array_equal(raw.test, TEST)
    write_archive(path, members() | {TEST_MEMBER: batch(TRAIN[:2])})
    with pytest.raises(ConfigError, match=f"{TEST_MEMBER}.*{published}"):
        read_cifar10(CONFIG, tmp_path, False)


def test_damaged_archives_are_refused(tmp_path):
    path = tmp_path / "x.tar.gz"
    write_archive(path, members())
    whole = path.read_bytes()
    for data in (b"", b"no archive", whole[:50], whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(ConfigError, match=r"x\.tar\.gz"):
            read_archive(path)
    write_archive(path, {TEST_MEMBER: batch(TEST)})
    with pytest.raises(ConfigError, match="no member cifar-10-batches-py/data_batch_1"):
        read_archive(path)
    assert [file.name for file in tmp_path.iterdir()] == ["x.tar.gz"]


def test_links_in_an_archive_are_not_followed(tmp_path):
    path = tmp_path / "x.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in (*TRAIN_MEMBERS, TEST_MEMBER):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
    with pytest.raises(ConfigError, match="no member"):
        read_archive(path)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_batches_of_every_protocol_are_read(protocol):
    assert np.array_equal(read_batch(batch(TEST, protocol), "x"), TEST)


class Runs:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "payload",
    [
        Runs(os.system, "touch executed"),
        Runs(os.mkdir, "executed"),
        Runs(eval, "open('executed', 'w')"),
        Runs(exec, "open('executed', 'w')"),
        Runs(np.save, "executed", 1),
        Runs(getattr, "", "join"),
        Runs(np.fromfile, "/etc/passwd"),
    ],
)
def test_pickles_that_run_something_are_refused_before_it_runs(tmp_path, monkeypatch, payload):
    monkeypatch.chdir(tmp_path)
    for protocol in (0, 2, 4):
        with pytest.raises(ConfigError, match="refused"):
            read_batch(pickle.dumps({b"data": TEST, b"x": payload}, protocol), "batch")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {b"data": 3},
        {b"data": np.zeros((2, 3072))},
        {b"data": np.zeros((2, 3071), np.uint8)},
        {b"data": np.zeros(3072, np.uint8)},
        {b"data": np.asfortranarray(np.zeros((2, 3072), np.uint8))},
    ],
)
def test_pickles_without_images_are_refused(content):
    with pytest.raises(ConfigError, match="batch"):
        read_batch(pickle.dumps(content, 2), "batch")


def test_damaged_pickles_give_user_errors_only():
    whole = batch(TEST[:1])
    rng = np.random.default_rng(1)
    for _ in range(300):
        data = bytearray(whole[: rng.integers(len(whole))] if rng.random() < 0.5 else whole)
        for position in rng.integers(0, max(min(len(data), 200), 1), 3) if data else ():
            data[position] = rng.integers(256)
        try:
            read_batch(bytes(data), "batch")
        except ConfigError as error:
            assert "\n" not in str(error)


def test_an_original_mosaic(data_root):
    path = data_root / "cifar10" / "cifar10_test_9.png"
    if not path.is_file():
        pytest.skip("no PNG mosaics of CIFAR-10 in the data root")
    images, _ = read_mosaics([path])
    assert images.shape[1:] == (32, 32, 3)
    # Neighbouring pixels of photographs are alike; a wrong order of rows, columns or colours would show here.
    values = images.astype(int)
    far = np.abs(values - np.roll(values, 16, axis=(1, 2))).mean()
    for axis in (1, 2):
        assert np.abs(np.diff(values, axis=axis)).mean() < far / 3


@pytest.mark.slow
def test_the_originals(data_root):
    raw = read_cifar10(DataConfig(name="cifar10", num_train=100), data_root, False)
    assert raw.train.shape == (100, 3, 32, 32)
    assert "train: 100 of 50,000 images, drawn with a fixed seed" in raw.notes
    if len(raw.test) != 10_000:
        assert f"test: {len(raw.test):,} of 10,000 images" in raw.notes
