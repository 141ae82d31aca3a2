"""Image files and the archives in which images come."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from unittest import mock

import numpy as np
from fuzz.target import Target
from fuzz.targets_arrays import require_images
from PIL import Image

from lsgm.config import DataConfig
from lsgm.data.image_files import decode_image
from lsgm.data.readers import omniglot_originals
from lsgm.data.readers.cifar10 import TEST_MEMBER, TRAIN_MEMBERS, read_archive, read_mosaics
from lsgm.data.readers.cifar10_pickle import read_batch
from lsgm.data.readers.folder import read_folder
from lsgm.data.readers.omniglot_originals import read_zip

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


PICTURE = Image.fromarray(COLOURS)
PNGS = tuple(encoded(PICTURE.convert(mode), "PNG") for mode in ("RGB", "L", "P", "1", "RGBA", "LA"))
IMAGES = (*PNGS, *(encoded(PICTURE, kind) for kind in ("JPEG", "BMP", "WEBP", "PPM", "TIFF")))


def read_image(path: Path) -> None:
    image = decode_image(path.read_bytes(), str(path))
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[0] in (1, 3) and image.size


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_right_checksums(data: bytes) -> bytes:
    """Walk through the chunks of a PNG as far as they go, and correct their checksums."""
    found, at = data[:8], 8
    while at + 12 <= len(data):
        size = min(struct.unpack(">I", data[at : at + 4])[0], len(data) - at - 12)
        found += png_chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + size])
        at += size + 12
    return found + data[at:]


def huge_png(width: int, height: int) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return PNG_SIGNATURE + header + png_chunk(b"IDAT", zlib.compress(bytes(100))) + png_chunk(b"IEND", b"")


def text_bomb() -> bytes:
    text = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26), 9))
    return PNGS[0][:33] + text + PNGS[0][33:]


def read_images_below(path: Path) -> None:
    for index in range(6):
        (path.parent / f"{index}.png").write_bytes(PNGS[0])
    config = DataConfig(name="folder", path=str(path.parent), test_fraction=0.5)
    require_images(read_folder(config, None, False))


def batch(protocol: int = 2, count: int = 1) -> bytes:
    rows = {b"data": RNG.integers(0, 256, (count, 3072), dtype=np.uint8), b"labels": [3], b"filenames": [b"a.png"]}
    return pickle.dumps(rows, protocol=protocol)


def read_pickle(path: Path) -> None:
    images = read_batch(path.read_bytes(), str(path))
    assert images.dtype == np.uint8 and images.shape[1:] == (3, 32, 32)


def tar(members: dict[str, bytes], **attributes: object) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def read_tar(path: Path) -> None:
    before = sorted(path.parent.parent.rglob("*"))
    batches = read_archive(path)
    assert sorted(path.parent.parent.rglob("*")) == before  # nothing is unpacked to the disk
    assert batches.keys() == {*TRAIN_MEMBERS, TEST_MEMBER}
    assert all(images.shape[1:] == (32, 32, 3) for images in batches.values())


ALL_BATCHES = dict.fromkeys((*TRAIN_MEMBERS, TEST_MEMBER), batch())
TARS = (tar(ALL_BATCHES), tar({"../evil": b"x", "/tmp/evil": b"x", **ALL_BATCHES}))
LINKS = tuple(
    tar(dict.fromkeys(ALL_BATCHES, b""), type=kind, linkname="/etc/passwd")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE)
)


class Command:
    """An object whose pickle calls a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


LONG_TEXT = b"(X" + struct.pack("<I", 30_000) + b"a" * 30_000 + b"q\x00" + b"c_codecs\nencode\nq\x01"
PICKLES = (batch(0), batch(2), batch(4), batch(5))
PICKLE_ATTACKS = (
    b"",
    pickle.dumps({b"data": Command(eval, "1")}),
    pickle.dumps({b"data": Command(print, "x")}),
    b"\x80\x02r\xff\xff\xff\x7f.",  # remembered as object 2^31
    b"\x80\x02N" + b"r\xf0\xff\xff\x0f.",
    b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.",  # bytes that are not there
    b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x.",
    b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",
    b"\x80\x02" + LONG_TEXT + b"h\x01h\x00\x85R" * 40_000 + b"t.",  # 1.2 GB from 300 kB
    b"\x80\x02" + b"]" * 100_000 + b".",
    b"\x80\x02cnumpy\nndarray\n(N}b.",
    b"\x80\x02c_codecs\nencode\n(N}X\x07\x00\x00\x00_budgetK\xffs\x86b.",
    b"I" + b"9" * 5000 + b"\n.",
)


def read_mosaic(path: Path) -> None:
    images, _ = read_mosaics([path])
    assert images.dtype == np.uint8 and images.shape[1:] == (32, 32, 3)


def character(size: int = 105) -> bytes:
    return encoded(Image.fromarray(RNG.integers(0, 2, (size, size), dtype=np.uint8) * 255).convert("1"), "PNG")


CHARACTER = character()
MEMBER = "images_background/Latin/character01/0001_{:02d}.png"


def zipped(content: bytes) -> bytes:
    return zip_of({MEMBER.format(1): content, MEMBER.format(2): CHARACTER})


def zip_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def many_members() -> bytes:
    """A directory that names one small image again and again."""
    whole = zip_of({MEMBER.format(1): CHARACTER})
    start, end = whole.index(b"PK\x01\x02"), whole.index(b"PK\x05\x06")
    entries = b"".join(whole[start:end].replace(b"0001_01", f"{index:04d}_01".encode()) for index in range(5))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 5, 5, len(entries), start, 0)
    return whole[:start] + entries + tail


def read_originals(path: Path) -> None:
    with mock.patch.object(omniglot_originals, "COUNTS", {"images_background": 4}):
        images = read_zip(path)
    assert images.dtype == bool and images.shape[1:] == (105, 105)


def claiming_zip() -> bytes:
    whole = zip_of({MEMBER.format(1): CHARACTER})
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        sizes = archive.infolist()[0]
    return whole.replace(
        struct.pack("<II", sizes.compress_size, sizes.file_size), struct.pack("<II", 2**32 - 2, sizes.file_size)
    )


ZIPS = (zipped(CHARACTER), zip_of({"../../etc/x.png": CHARACTER, "/x": b"", MEMBER.format(1): CHARACTER}))
TARGETS = (
    Target(
        "image",
        "a.png",
        IMAGES,
        read_image,
        examples=250,
        attacks=(
            b"",
            huge_png(2**31 - 1, 2**31 - 1),
            huge_png(10**5, 10**5),
            huge_png(8000, 8000),
            text_bomb(),
            b"%!PS-Adobe-3.0 EPSF-3.0\n",
            zip_of({"a": b"b"}),
        ),
    ),
    Target("png, checksums right", "a.png", PNGS, read_image, with_right_checksums, examples=150),
    Target("folder of images", "own/a.png", PNGS[:2], read_images_below, examples=60),
    Target(
        "cifar10 mosaic",
        "m.png",
        (encoded(Image.fromarray(RNG.integers(0, 256, (2, 1024, 3), dtype=np.uint8)), "PNG"), PNGS[0]),
        read_mosaic,
        with_right_checksums,
        examples=60,
    ),
    Target("cifar10 pickle", "data_batch_1", PICKLES, read_pickle, examples=150, attacks=PICKLE_ATTACKS),
    Target(
        "cifar10 archive",
        "archives/c.tar.gz",
        tuple(map(packed, TARS)),
        read_tar,
        examples=60,
        attacks=(b"", packed(b""), packed(bytes(2**20)), *map(packed, LINKS), packed(TARS[1])),
    ),
    Target("cifar10 tar in gzip", "archives/c.tar.gz", TARS, read_tar, packed, examples=60),
    Target(
        "omniglot zip",
        "images_background.zip",
        ZIPS,
        read_originals,
        attacks=(b"", many_members(), claiming_zip(), zipped(character(104)), zipped(huge_png(105, 105))),
    ),
    Target(
        "png in omniglot zip",
        "images_background.zip",
        (CHARACTER,),
        read_originals,
        lambda data: zipped(with_right_checksums(data)),
    ),
)
