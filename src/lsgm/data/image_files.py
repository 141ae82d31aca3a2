"""Image files to arrays: one size and one mode per collection, no file trusted.

Grey and RGB of 8 bits are read as they are; one-bit images become grey and palette images RGB, which loses nothing, and
an EXIF orientation is applied. What would change the picture is refused by name: transparency, more than 8 bits, CMYK
and other colour spaces, several frames. Colour profiles and gammas other than sRGB's are not applied, and counted in
the notes: the numbers of the file are what is modelled.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lsgm.config import ConfigError
from lsgm.data_files import name_bytes

from .source_files import MAX_ARRAY_BYTES, read_bytes, refusing_damage

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 2**26
MAX_FILE_BYTES = 2**28
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM", "TIFF")
"""Decided by content, not by name: Pillow would hand an EPS file, whatever its name, to another program."""

ORIENTATION, BITS_PER_SAMPLE, EXTRA_SAMPLES, SAMPLE_FORMAT = 274, 258, 338, 339  # tags of EXIF and TIFF
UNSIGNED = 1
TURNED = "turned as their EXIF orientation says"
PROFILE = "with a colour profile or gamma other than sRGB's, which is not applied"
SRGB_GAMMA = 0.45455

_LOSSLESS = {"L": "L", "RGB": "RGB", "1": "L", "P": "RGB"}


@dataclass(frozen=True)
class ImageStack:
    """Images of a list of files.

    Attributes:
        images: uint8 (N, C, H, W).
        checksum: over all names and contents.
        notes: what was done to some of them, such as "2 images turned as their EXIF orientation says".
    """

    images: np.ndarray
    checksum: str
    notes: tuple[str, ...] = ()


def decode_image(data: bytes, name: str, counts: Counter[str] | None = None) -> np.ndarray:
    """Decode one image.

    Args:
        data: content of the file.
        name: the file, for messages.
        counts: counts what was done to an image or left undone, by what it is.

    Returns:
        uint8 (C, H, W); C is 1 or 3.

    Raises:
        ConfigError: not an image, damaged, larger than `MAX_PIXELS`, or one that would not be the same picture.
    """
    from PIL import Image, ImageOps

    with refusing_damage(name, "an image", "replace or remove it"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ConfigError(f"{name}: {image.width}x{image.height} pixels; at most {MAX_PIXELS:,} are read")
            problem = _problem(image, data)
            if problem is not None:
                raise ConfigError(f"{name}: {problem}")
            is_turned = image.getexif().get(ORIENTATION) in range(2, 9)
            # The name of a profile is text of one or of two bytes a letter.
            has_profile = b"sRGB" not in (image.info.get("icc_profile") or b"sRGB").replace(b"\0", b"")
            has_profile |= abs(image.info.get("gamma", SRGB_GAMMA) - SRGB_GAMMA) > 0.01
            # A TIFF is turned by Pillow itself while it is loaded; its tag is then gone.
            upright = ImageOps.exif_transpose(image)
            pixels = np.asarray(upright.convert(_LOSSLESS[image.mode]))
    if counts is not None:
        counts[TURNED] += is_turned
        counts[PROFILE] += has_profile
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _problem(image: Image.Image, data: bytes) -> str | None:
    """Why decoding would change the picture, and the cure; None if it would not."""
    if getattr(image, "n_frames", 1) > 1:
        return f"{image.n_frames} frames or pages; save each as a file of its own"
    bits = _bits(image, data)
    if bits > 8:
        return f"{bits} bits per channel, of which 8 would be cut off; convert it to 8 bits"
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBA", "La", "RGBa"):
        return "has transparency; flatten it onto a background"
    if image.format == "TIFF" and EXTRA_SAMPLES in image.tag_v2:
        return "has channels beside its colours, which may be transparency; save it as grey or RGB alone"
    if image.format == "TIFF" and set(image.tag_v2.get(SAMPLE_FORMAT, (UNSIGNED,))) != {UNSIGNED}:
        return "has numbers with a sign or a point; convert it to 0 to 255"
    if image.mode not in _LOSSLESS:
        return f"image mode {image.mode}; convert it to 8-bit RGB or grey"
    return None


def _bits(image: Image.Image, data: bytes) -> int:
    """Bits per channel in the file, which Pillow cuts to 8 for some kinds without a word."""
    if image.format == "PNG":
        return data[24]
    if image.format == "TIFF":
        return max(image.tag_v2.get(BITS_PER_SAMPLE, (1,)))
    if image.format == "PPM":
        header = re.sub(rb"#[^\n]*", b"", data[:1000]).split(maxsplit=4)
        has_maximum = header[0] in (b"P2", b"P3", b"P5", b"P6")
        return int(header[3]).bit_length() if has_maximum else 8
    return 16 if image.mode.startswith(("I", "F")) else 8


def read_images(files: Sequence[Path], base: Path) -> ImageStack:
    """Read files that must agree in size and mode.

    Args:
        files: at least one file.
        base: folder that the names in the checksum are relative to.

    Raises:
        ConfigError: a file cannot be read, or two differ in size or mode (names both).
    """
    digest = hashlib.sha256()
    counts: Counter[str] = Counter()
    images: np.ndarray | None = None
    for index, path in enumerate(files):
        data = read_bytes(path, MAX_FILE_BYTES)
        digest.update(name_bytes(path, base) + f"\0{hashlib.sha256(data).hexdigest()}\n".encode())
        image = decode_image(data, str(path), counts)
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
    notes = tuple(f"{count:,} images {what}" for what, count in counts.items() if count)
    return ImageStack(images, f"sha256:{digest.hexdigest()}", notes)


def _describe(shape: tuple[int, ...]) -> str:
    channels, height, width = shape
    return f"{width}x{height} {'grey' if channels == 1 else 'RGB'}"
