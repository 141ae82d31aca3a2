"""CIFAR-10: 50,000 training and 10,000 test images, RGB, 32x32.

Read from the first of these below `cifar10/` in the data root: the published archive, an .npz with `train_images` and
`test_images` (uint8, NHWC), or the lossless PNG mosaics in which each row of pixels is one image. Whatever the form,
the training images must be the published ones; a form without all test images says so in the notes.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lsgm.config import ConfigError, DataConfig
from lsgm.data.image_files import read_images
from lsgm.data.npz_arrays import npz_keys, read_npz
from lsgm.data.raw import RawImages, limited
from lsgm.data.source_files import SourceFile, checksum_of, digest_of, refusing_damage, require_root

from .cifar10_pickle import read_batch

TITLE = "CIFAR-10, 32x32"
NUM_TEST = 10_000
TRAIN_MD5 = "17e2cb5a4119d89a4a13e02b91701bff"
TRAIN_MEMBERS = tuple(f"cifar-10-batches-py/data_batch_{index}" for index in range(1, 6))
TEST_MEMBER = "cifar-10-batches-py/test_batch"
# Of the member itself, for archives that were packed anew; the training images are compared in any case.
TEST_MEMBER_MD5 = "md5:40351d587109b95175f43aff81a1287e"
MAX_MEMBER_BYTES = 2**26
MAX_UNPACKED_BYTES = 2**29

ARCHIVE = SourceFile(
    title=TITLE,
    candidates=("cifar10/cifar-10-python.tar.gz", "cifar-10-python.tar.gz"),
    urls=("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
    checksum="md5:c58f30108f718f92721af3b95e74349a",
    max_bytes=2**28,
)


def read_cifar10(config: DataConfig, root: Path | None, download: bool) -> RawImages:
    """Read CIFAR-10 from the data root.

    Args:
        config: `num_train` and `num_test` keep fewer images.
        root: the data root.
        download: fetch the archive if no form is there.

    Returns:
        Images uint8 (N, 3, 32, 32), in the published order.

    Raises:
        ConfigError: no form is there, a file is damaged, or the training images are not the published ones.
    """
    root = require_root(root, TITLE)
    folder = root / "cifar10"
    train, test, sources = _read_first_form(root, folder, download)
    _check(train, test, folder)
    missing = () if len(test) == NUM_TEST else (f"test: {len(test):,} of {NUM_TEST:,} images",)
    raw = RawImages(
        title=TITLE,
        train=_channels_first(train),
        test=_channels_first(test),
        sources=sources,
        notes=missing,
    )
    return limited(raw, config)


def read_archive(path: Path, test_md5: str | None = None) -> dict[str, np.ndarray]:
    """Read the batches of the archive as a stream; nothing is unpacked to disk.

    Args:
        path: a .tar.gz file.
        test_md5: checksum that the member of the test images must have; None where that of the archive is right.

    Returns:
        Images uint8 (N, 32, 32, 3) by member name.

    Raises:
        ConfigError: the archive is damaged, lacks a batch, holds a pickle that is no array of images, or others for
            testing.
    """
    batches: dict[str, np.ndarray] = {}
    unpacked = 0
    with refusing_damage(str(path), "an archive", "fetch the original archive"), tarfile.open(path, "r:gz") as archive:
        for member in archive:
            # To find the next member, this one is unpacked even if it is not wanted.
            unpacked += member.size
            if member.size > MAX_MEMBER_BYTES or unpacked > MAX_UNPACKED_BYTES:
                raise ConfigError(f"{path}: {member.name!r} has {member.size:,} bytes; fetch the original archive")
            if member.isreg() and member.name in (*TRAIN_MEMBERS, TEST_MEMBER):
                content = archive.extractfile(member).read()
                if member.name == TEST_MEMBER and test_md5 not in (None, found := digest_of(content, "md5")):
                    raise ConfigError(
                        f"{path}: damaged or not the published file, {member.name} has checksum {found}, expected "
                        f"{test_md5}; delete it and fetch it again"
                    )
                batches[member.name] = read_batch(content, f"{path} [{member.name}]").transpose(0, 2, 3, 1)
    absent = [name for name in (*TRAIN_MEMBERS, TEST_MEMBER) if name not in batches]
    if absent:
        raise ConfigError(f"{path}: no member {absent[0]} in the archive; delete it and fetch it again")
    return batches


def read_mosaics(files: list[Path]) -> tuple[np.ndarray, str]:
    """Read PNG mosaics in name order.

    Args:
        files: mosaics 1024 pixels wide; each row holds the 32x32 RGB values of one image.

    Returns:
        Images uint8 (N, 32, 32, 3), and one checksum over all files.

    Raises:
        ConfigError: a mosaic is damaged or has another width.
    """
    parts, digest = [], hashlib.sha256()
    for path in files:
        mosaic = read_images([path], path.parent)
        if mosaic.images.shape[1] != 3 or mosaic.images.shape[3] != 32 * 32:
            raise ConfigError(f"{path}: shape {mosaic.images.shape[1:]}, expected an RGB mosaic 1024 pixels wide")
        digest.update(mosaic.checksum.encode())
        parts.append(mosaic.images[0].transpose(1, 2, 0).reshape(-1, 32, 32, 3))
    return np.concatenate(parts), f"sha256:{digest.hexdigest()}"


def _read_first_form(root: Path, folder: Path, download: bool) -> tuple[np.ndarray, np.ndarray, Mapping[str, str]]:
    if not any((root / candidate).is_file() for candidate in ARCHIVE.candidates):
        for path in sorted(folder.glob("*.npz")):
            if {"train_images", "test_images"} <= set(npz_keys(path)):
                train, test = read_npz(path, ["train_images", "test_images"])
                return train, test, {path.name: checksum_of(path)}
        train_files = sorted(folder.glob("cifar10_batch_*.png"))
        test_files = sorted(folder.glob("cifar10_test_*.png"))
        if train_files and test_files:
            (train, train_digest), (test, test_digest) = read_mosaics(train_files), read_mosaics(test_files)
            return train, test, {"cifar10_batch_*.png": train_digest, "cifar10_test_*.png": test_digest}
    path = ARCHIVE.locate(root, download)
    checksum = checksum_of(path, "md5")
    batches = read_archive(path, None if checksum == ARCHIVE.checksum else TEST_MEMBER_MD5)
    return np.concatenate([batches[name] for name in TRAIN_MEMBERS]), batches[TEST_MEMBER], {path.name: checksum}


def _check(train: np.ndarray, test: np.ndarray, folder: Path) -> None:
    for part, images in (("training", train), ("test", test)):
        if images.dtype != np.uint8 or images.shape[1:] != (32, 32, 3):
            raise ConfigError(
                f"{folder}: {part} images are {images.dtype} {images.shape}, expected uint8 (N, 32, 32, 3)"
            )
    if len(test) > NUM_TEST:
        raise ConfigError(f"{folder}: {len(test):,} test images, expected at most {NUM_TEST:,}")
    found = hashlib.md5(np.ascontiguousarray(train).data, usedforsecurity=False).hexdigest()
    if found != TRAIN_MD5:
        raise ConfigError(
            f"{folder}: the {len(train):,} training images are not CIFAR-10's: "
            f"checksum found md5:{found}, expected md5:{TRAIN_MD5}; fetch {ARCHIVE.urls[0]}"
        )


def _channels_first(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
