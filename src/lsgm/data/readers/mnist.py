"""MNIST: 60,000 training and 10,000 test digits, grey, 28x28, from the original idx files (gzip or unpacked).

The labels play no part in the paper and are not read. Padding to 32x32 and binarisation happen when a batch is made
(method.md: Data).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lsgm.config import ConfigError, DataConfig
from lsgm.data.raw import RawImages, limited
from lsgm.data.source_files import SourceFile, checksum_of, digest_of, find, one_line, read_bytes, require_root

TITLE = "MNIST, 28x28"
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
IDX_UINT8_3D = 0x00000803
HEADER_BYTES = 16
SIDE = 28
MAX_PACKED_BYTES = 2**26


@dataclass(frozen=True)
class IdxFile:
    """One idx file of images: its name without .gz, its count, and the MD5 of the packed and unpacked originals."""

    name: str
    count: int
    packed_md5: str
    unpacked_md5: str

    @property
    def num_bytes(self) -> int:
        """Length of the unpacked file."""
        return HEADER_BYTES + self.count * SIDE * SIDE


TRAIN = IdxFile(
    "train-images-idx3-ubyte", 60_000, "f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"
)
TEST = IdxFile("t10k-images-idx3-ubyte", 10_000, "9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea")


def read_mnist(config: DataConfig, root: Path | None, download: bool) -> RawImages:
    """Read MNIST from `mnist/` or `MNIST/raw/` below the data root.

    Args:
        config: `num_train` and `num_test` keep fewer images.
        root: the data root.
        download: fetch files that are absent.

    Returns:
        Images uint8 (N, 1, 28, 28), in the order of the files.

    Raises:
        ConfigError: a file is absent, damaged, or not the original.
    """
    root = require_root(root, TITLE)
    paths = {part: _locate(part, root, download) for part in (TRAIN, TEST)}
    train, test = (read_idx_images(path, part) for part, path in paths.items())
    raw = RawImages(
        title=TITLE,
        train=train,
        test=test,
        sources={path.name: checksum_of(path, "md5") for path in paths.values()},
    )
    return limited(raw, config)


def read_idx_images(path: Path, part: IdxFile) -> np.ndarray:
    """Read one idx file after checking magic number, count, size, length and checksum.

    Args:
        path: the file; unpacked on the fly if its name ends in .gz.
        part: what it must be.

    Returns:
        uint8 (count, 1, 28, 28).

    Raises:
        ConfigError: something does not agree; says what was found and what is expected.
    """
    data = read_bytes(path, max(part.num_bytes, MAX_PACKED_BYTES))
    if path.suffix == ".gz":
        data = _unpack(data, path, part.num_bytes)
    if len(data) < HEADER_BYTES:
        raise ConfigError(f"{path}: {len(data)} bytes, too short for an idx file; replace it")
    magic, *shape = struct.unpack(">4I", data[:HEADER_BYTES])
    if magic != IDX_UINT8_3D:
        raise ConfigError(f"{path}: magic number {magic}, expected {IDX_UINT8_3D} (idx file of images); replace it")
    if shape != [part.count, SIDE, SIDE]:
        raise ConfigError(f"{path}: holds {shape} (count, height, width), expected {[part.count, SIDE, SIDE]}")
    if len(data) != part.num_bytes:
        raise ConfigError(f"{path}: {len(data):,} bytes unpacked, expected {part.num_bytes:,}; replace it")
    found = digest_of(data, "md5")
    if found != f"md5:{part.unpacked_md5}":
        raise ConfigError(
            f"{path}: not the original file: checksum of its content {found}, expected md5:{part.unpacked_md5}; "
            "delete it and fetch it again"
        )
    return np.frombuffer(data, np.uint8, offset=HEADER_BYTES).reshape(part.count, 1, SIDE, SIDE)


def _locate(part: IdxFile, root: Path, download: bool) -> Path:
    packed = SourceFile(
        title=TITLE,
        candidates=(f"mnist/{part.name}.gz", f"MNIST/raw/{part.name}.gz"),
        urls=tuple(f"{mirror}{part.name}.gz" for mirror in MIRRORS),
        checksum=f"md5:{part.packed_md5}",
        max_bytes=MAX_PACKED_BYTES,
    )
    unpacked = find(root, (f"mnist/{part.name}", f"MNIST/raw/{part.name}"))
    if unpacked is not None and find(root, packed.candidates) is None:
        return unpacked
    return packed.locate(root, download)


def _unpack(data: bytes, path: Path, num_bytes: int) -> bytes:
    """Unpack gzip; at most one byte more than expected is ever held."""
    try:
        inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        unpacked = inflater.decompress(data, num_bytes + 1)
    except zlib.error as error:
        raise ConfigError(f"{path}: not a gzip file, or a damaged one ({one_line(error)}); replace it") from error
    if not inflater.eof and len(unpacked) <= num_bytes:
        raise ConfigError(f"{path}: ends after {len(unpacked):,} of {num_bytes:,} unpacked bytes; replace it")
    return unpacked
