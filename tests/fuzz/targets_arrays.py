"""Files of arrays: idx, MATLAB, npy and npz, and the data sets that come as such."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import zipfile
import zlib
from pathlib import Path
from unittest import mock

import numpy as np
from fuzz.target import Target
from scipy.io import savemat

from lsgm.config import DataConfig
from lsgm.data.mat_arrays import read_matrix
from lsgm.data.npz_arrays import read_npy
from lsgm.data.raw import RawImages
from lsgm.data.readers import celebahq256, mnist
from lsgm.data.readers.mnist import IdxFile, read_idx_images
from lsgm.data.readers.npz import read_npz_file
from lsgm.data.readers.omniglot import read_characters

RNG = np.random.default_rng(0)
COUNT = 2
IDX = struct.pack(">4I", mnist.IDX_UINT8_3D, COUNT, 28, 28) + bytes(RNG.integers(0, 256, COUNT * 784, dtype=np.uint8))
LABELS = struct.pack(">2I", 0x801, COUNT) + b"\x01\x02"
MATRIX = RNG.random((6, 4)).round(1)
SIDE = 6


def require_images(raw: RawImages) -> None:
    for images in (raw.train, raw.test):
        assert images.dtype == np.uint8 and images.ndim == 4 and images.size
        assert images.shape[1:] == raw.train.shape[1:] and images.shape[1] in (1, 3)


def read_idx(path: Path) -> None:
    data = path.read_bytes()
    # The content's own checksum, so that what is damaged reaches the checks behind it.
    try:
        unpacked = zlib.decompressobj(wbits=31).decompress(data, len(IDX) + 1) if path.suffix == ".gz" else data
    except zlib.error:
        unpacked = b""
    digest = hashlib.md5(unpacked).hexdigest()
    images = read_idx_images(path, IdxFile("images", COUNT, digest, digest))
    assert images.dtype == np.uint8 and images.shape == (COUNT, 1, 28, 28)


def mat(compressed: bool) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, {"first": MATRIX, "text": "abc", "data": MATRIX}, do_compression=compressed)
    return buffer.getvalue()


def read_mat(path: Path) -> None:
    matrix = read_matrix(path, "data", MATRIX.shape)
    assert matrix.dtype == np.float64 and matrix.shape == MATRIX.shape


def characters(compressed: bool) -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, {"data": RNG.integers(0, 2, (784, COUNT), dtype=np.uint8)}, do_compression=compressed)
    return buffer.getvalue()


def read_few_characters(path: Path) -> None:
    images = read_characters(path, "data", COUNT)
    assert images.dtype == np.uint8 and images.shape == (COUNT, 1, 28, 28)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npy_with_header(header: str, data: bytes = bytes(48), version: tuple[int, int] = (1, 0)) -> bytes:
    text = header.encode("latin1") + b"\n"
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + data


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train_images.npy", content)
        archive.writestr("test_images.npy", npy(IMAGES[:1]))
    return buffer.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def read_own_npz(path: Path) -> None:
    require_images(read_npz_file(DataConfig(name="npz", path=str(path)), None, False))


def read_faces(path: Path) -> None:
    (path.parent / "validation.npy").write_bytes(npy(FACES[:1]))
    with (
        mock.patch.object(celebahq256, "COUNTS", {"train": len(FACES), "validation": 1}),
        mock.patch.object(celebahq256, "SHAPE", (3, SIDE, SIDE)),
    ):
        root = path.parent.parent
        require_images(celebahq256.read_celebahq256(DataConfig(name="celebahq256"), root, False))


IMAGES = RNG.integers(0, 256, (5, SIDE, SIDE), dtype=np.uint8)
FACES = RNG.integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
NPY = (npy(IMAGES), npy(FACES), npy(np.asfortranarray(IMAGES)), npy(IMAGES / 255), npy(IMAGES > 9))
NPZ = (npz(train_images=IMAGES, test_images=IMAGES[:1]), npz(images=FACES), npz(train=FACES, test=FACES))

HEADERS = (
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000000), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (0, 10000000000000000000000000000000), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (-3, -16), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (True, 48), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (6,), }",
    "{'descr': '|V0', 'fortran_order': False, 'shape': (48,), }",
    "{'descr': ('|u1',), 'fortran_order': False, 'shape': (48,), }",
    "{'descr': [], 'fortran_order': False, 'shape': (48,), }",
    "{'descr': [('a', '|u1'), ('a', '|u1')], 'fortran_order': False, 'shape': (24,), }",
    "{'descr': '|u1', 'fortran_order': 'no', 'shape': (48,), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (48,), ",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (48L,), }",
    "'''",
    "(" * 5000,
    "-" * 9000 + "1",
    "__import__('os').system('true')",
)
NPY_ATTACKS = (
    *(npy_with_header(header) for header in HEADERS),
    b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
    npy_with_header(HEADERS[0], version=(2, 0)),
    npy_with_header(HEADERS[0], version=(3, 0)),
)
MAT = (mat(False), mat(True))


def _claiming_zip() -> bytes:
    """A stored member whose lengths, in both places, say 3 GiB."""
    data = bytearray(npz(images=IMAGES))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = archive.getinfo("images.npy").file_size
    return bytes(data.replace(struct.pack("<II", size, size), struct.pack("<II", 3 * 2**30, 3 * 2**30)))


TARGETS = (
    Target(
        "idx",
        "images-idx3-ubyte",
        (IDX, LABELS),
        read_idx,
        attacks=(b"", b"\x00", LABELS, struct.pack(">4I", mnist.IDX_UINT8_3D, 10**9, 10**9, 10**9)),
    ),
    Target(
        "idx, packed",
        "images.gz",
        (gzip.compress(IDX, mtime=0), gzip.compress(LABELS, mtime=0)),
        read_idx,
        attacks=(gzip.compress(bytes(2**24)), b"\x1f\x8b", IDX),
    ),
    Target("idx in gzip", "images.gz", (IDX, LABELS), read_idx, wrap=lambda data: gzip.compress(data, mtime=0)),
    Target("matlab", "x.mat", MAT, read_mat, examples=150, attacks=(b"", bytes(128), MAT[0][:128] + b"\x0f\0\0\0" * 9)),
    Target("omniglot, 28x28", "chardata.mat", (characters(False), characters(True)), read_few_characters),
    Target("npy", "x.npy", NPY, lambda path: read_npy(path).sum(), examples=150, attacks=NPY_ATTACKS),
    Target("npz", "x.npz", NPZ, read_own_npz, examples=150, attacks=(b"", b"PK\x05\x06" + bytes(18), _claiming_zip())),
    Target("npy in npz", "x.npz", NPY, read_own_npz, zipped, attacks=tuple(map(zipped, NPY_ATTACKS))),
    Target("celebahq256", "celebahq256/train.npy", NPY, read_faces, attacks=NPY_ATTACKS),
)
