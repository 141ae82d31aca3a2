"""Image files to arrays: one size and one mode per collection, no file trusted.

Grey and RGB are read as they are; one-bit images become grey and palette images RGB, which loses nothing. Anything
else (transparency, 16 bits, CMYK) is refused rather than converted silently.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from lsgm.config import ConfigError

from .source_files import MAX_ARRAY_BYTES, read_bytes, refusing_damage

MAX_PIXELS = 2**26
MAX_FILE_BYTES = 2**28
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"})
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM", "TIFF")
"""Decided by content, not by name: Pillow would hand an EPS file, whatever its name, to another program."""

_LOSSLESS = {"L": "L", "RGB": "RGB", "1": "L", "P": "RGB"}


@dataclass(frozen=True)
class ImageStack:
    """Images of a list of files: uint8 (N, C, H, W), and one checksum over all names and contents."""

    images: np.ndarray
    checksum: str


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Decode one image.

    Args:
        data: content of the file.
        name: the file, for messages.

    Returns:
        uint8 (C, H, W); C is 1 or 3.

    Raises:
        ConfigError: not an image, damaged, larger than `MAX_PIXELS`, or of a mode that would lose something.
    """
    from PIL import Image

    with refusing_damage(name, "an image", "replace or remove it"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ConfigError(f"{name}: {image.width}x{image.height} pixels; at most {MAX_PIXELS:,} are read")
            if image.mode not in _LOSSLESS or (image.mode == "P" and "transparency" in image.info):
                raise ConfigError(
                    f"{name}: image mode {image.mode}; convert it to 8-bit RGB or grey without transparency"
                )
            pixels = np.asarray(image.convert(_LOSSLESS[image.mode]))
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def image_files(folder: Path) -> list[Path]:
    """Image files below a folder, in order of their relative names; hidden files and linked folders are left out.

    Raises:
        ConfigError: a folder on the way may not be entered.
    """
    with refusing_damage(str(folder), "a folder of images", "make it readable"):
        files = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        visible = (path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts))
        return sorted(visible, key=lambda path: path.relative_to(folder).as_posix())


def name_bytes(path: Path, base: Path) -> bytes:
    """Name of a file relative to a folder, as bytes: a name need not be text in any encoding."""
    return os.fsencode(path.relative_to(base).as_posix())


def read_images(files: Sequence[Path], base: Path) -> ImageStack:
    """Read files that must agree in size and mode.

    Args:
        files: at least one file.
        base: folder that the names in the checksum are relative to.

    Raises:
        ConfigError: a file cannot be read, or two differ in size or mode (names both).
    """
    digest = hashlib.sha256()
    images: np.ndarray | None = None
    for index, path in enumerate(files):
        data = read_bytes(path, MAX_FILE_BYTES)
        digest.update(name_bytes(path, base) + f"\0{hashlib.sha256(data).hexdigest()}\n".encode())
        image = decode_image(data, str(path))
        if images is None:
            if image.nbytes * len(files) > MAX_ARRAY_BYTES:
                raise ConfigError(
                    f"{base}: {len(files)} images like {path.name} need more than {MAX_ARRAY_BYTES:,} bytes"
                )
            with refusing_damage(str(base), f"{len(files)} images like {path.name}", "take fewer or smaller ones"):
                images = np.empty((len(files), *image.shape), dtype=np.uint8)
        elif image.shape != images.shape[1:]:
            raise ConfigError(
                f"images differ: {files[0]} is {_describe(images.shape[1:])}, {path} is {_describe(image.shape)}; "
                "all must have one size and one mode"
            )
        images[index] = image
    if images is None:
        raise ConfigError(f"{base}: no image files")
    return ImageStack(images, f"sha256:{digest.hexdigest()}")


def _describe(shape: tuple[int, ...]) -> str:
    channels, height, width = shape
    return f"{width}x{height} {'grey' if channels == 1 else 'RGB'}"
