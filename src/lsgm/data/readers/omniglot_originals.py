"""The OMNIGLOT originals, 105x105 strokes, reduced to 28x28: 19,280 background and 13,180 evaluation characters.

A stand-in where the 28x28 file of the paper's Table 4 cannot be had: other images and another split, so its numbers
never stand beside that table's. Read from `images_background` and `images_evaluation` below `omniglot/`, as the
published .zip of PNG files or as .npz with an array `images` (True is paper, False is ink).
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np

from lsgm.config import ConfigError, DataConfig
from lsgm.data.image_files import decode_image
from lsgm.data.npz_arrays import read_npz, require_honest
from lsgm.data.raw import RawImages, subset, subset_note
from lsgm.data.source_files import SourceFile, checksum_of, find, refusing_damage, require_root

TITLE = "OMNIGLOT originals reduced to 28x28 (not the split of the paper's Table 4)"
SIDE = 28
ORIGINAL_SIDE = 105
COUNTS = {"images_background": 19_280, "images_evaluation": 13_180}
MAX_MEMBER_BYTES = 2**16
MAX_ZIP_BYTES = 2**26

_URL = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/"
_MD5 = {
    "images_background": "md5:68d2efa1b9178cc56df9314c21c6e718",
    "images_evaluation": "md5:6b91aef0f799c5bb55b94e3f2daec811",
}


def read_omniglot_originals(config: DataConfig, root: Path | None, download: bool) -> RawImages:
    """Read and reduce the originals: training images are the background set, test images the evaluation set.

    Args:
        config: `num_train` and `num_test` keep fewer images.
        root: the data root.
        download: fetch the .zip files if neither form is there.

    Returns:
        Images uint8 (N, 1, 28, 28), ink 255.

    Raises:
        ConfigError: a file is absent, damaged, or holds other images than the published ones.
    """
    root = require_root(root, TITLE)
    parts, sources, notes = {}, {}, ["ink averaged over the area of each pixel; rounded to 8 bits"]
    for part, name, limit in (
        ("train", "images_background", config.num_train),
        ("test", "images_evaluation", config.num_test),
    ):
        path = find(root, (f"omniglot/{name}.npz", f"omniglot_originals/{name}.npz"))
        if path is None:
            source = _zip_source(name)
            path = source.locate(root, download)
            sources[path.name] = source.verify(path)
            paper = read_zip(path)
        else:
            sources[path.name] = checksum_of(path)
            paper = _from_npz(path)
        if len(paper) != COUNTS[name]:
            raise ConfigError(f"{path}: {len(paper):,} images, expected {COUNTS[name]:,}; replace it")
        kept = subset(len(paper), limit, part, TITLE)
        parts[part] = reduce_ink(~paper[kept])
        notes += subset_note(len(paper), len(kept), part)
    return RawImages(title=TITLE, **parts, sources=sources, notes=tuple(notes))


def reduce_ink(ink: np.ndarray) -> np.ndarray:
    """Average ink over the area of each of 28x28 pixels.

    A pixel covers 3.75 original ones in each direction: with weights in quarters all sums are whole numbers, so the
    result does not depend on the machine.

    Args:
        ink: bool (N, 105, 105), True is ink.

    Returns:
        uint8 (N, 1, 28, 28), 255 where all is ink.
    """
    weights = np.zeros((SIDE, ORIGINAL_SIDE), dtype=np.float32)
    quarters_per_pixel = 4 * ORIGINAL_SIDE // SIDE
    for quarter in range(4 * ORIGINAL_SIDE):
        weights[quarter // quarters_per_pixel, quarter // 4] += 1
    reduced = np.empty((len(ink), 1, SIDE, SIDE), dtype=np.uint8)
    full = quarters_per_pixel**2
    for start in range(0, len(ink), 512):
        sums = weights @ ink[start : start + 512].astype(np.float32) @ weights.T
        reduced[start : start + 512, 0] = (510 * sums.astype(np.int64) + full) // (2 * full)
    return reduced


def read_zip(path: Path) -> np.ndarray:
    """Read the PNG files of a .zip in order of their names, without unpacking it to disk.

    Returns:
        bool (N, 105, 105), True is paper.

    Raises:
        ConfigError: the archive or an image in it is damaged or has another size.
    """
    wanted = re.compile(r"images_\w+/[^/]+/character\d+/\d+_\d+\.png")
    images = []
    with refusing_damage(str(path), "a zip file"), zipfile.ZipFile(path) as archive:
        members = sorted((m for m in archive.infolist() if wanted.fullmatch(m.filename)), key=lambda m: m.filename)
        if len(members) > max(COUNTS.values()):  # all may claim the same bytes of the file
            raise ConfigError(f"{path}: {len(members):,} images, more than there are in OMNIGLOT; replace it")
        for member in members:
            if member.file_size > MAX_MEMBER_BYTES:
                raise ConfigError(f"{path}: {member.filename!r} unpacks to {member.file_size:,} bytes; replace it")
            require_honest(member, path)
            image = decode_image(archive.read(member), f"{path} [{member.filename}]")
            if image.shape != (1, ORIGINAL_SIDE, ORIGINAL_SIDE):
                raise ConfigError(f"{path}: {member.filename!r} has shape {image.shape}, expected (1, 105, 105)")
            images.append(image[0] > 127)
    if not images:
        raise ConfigError(f"{path}: no character images (images_*/<alphabet>/character<n>/<file>.png) in it")
    return np.stack(images)


def _from_npz(path: Path) -> np.ndarray:
    (images,) = read_npz(path, ["images"])
    if images.dtype != bool or images.shape[-2:] != (ORIGINAL_SIDE, ORIGINAL_SIDE):
        raise ConfigError(f"{path}: `images` is {images.dtype} {images.shape}, expected bool (..., 105, 105)")
    return images.reshape(-1, ORIGINAL_SIDE, ORIGINAL_SIDE)


def _zip_source(name: str) -> SourceFile:
    return SourceFile(
        title=TITLE,
        candidates=(f"omniglot/{name}.zip", f"omniglot_originals/{name}.zip", f"omniglot-py/{name}.zip"),
        urls=(f"{_URL}{name}.zip",),
        checksum=_MD5[name],
        max_bytes=MAX_ZIP_BYTES,
    )
