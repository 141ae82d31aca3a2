"""Arrays of one's own in an .npz file: `train_images` and `test_images`, or `train` and `test`, or `images` alone.

Images are uint8, grey (N, H, W) or with 1 or 3 channels first or last. Without a test part a fixed permutation sets
`data.test_fraction` of the images aside.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from lsgm.config import ConfigError, DataConfig
from lsgm.data.npz_arrays import npz_keys, read_npz
from lsgm.data.raw import SPLIT_SEED, RawImages, limited, repeat_notes
from lsgm.data.source_files import checksum_of
from lsgm.data_files import SPLIT_NAMES, own_path
from lsgm.randomness import permutation

PAIRS = (("train_images", "test_images"), ("train", "test"))
SINGLES = ("images", "train_images", "train")
CHANNELS = (1, 3)
NARROW = 4  # so few columns are channels, with transparency or without


def read_npz_file(config: DataConfig, root: Path | None, download: bool) -> RawImages:
    """Read the arrays of `data.path`.

    Args:
        config: `path`, `test_fraction`, `num_train` and `num_test`.
        root: a relative `path` is looked for below it first, then below the current folder.
        download: not used.

    Returns:
        Images uint8 (N, C, H, W).

    Raises:
        ConfigError: the file is absent or damaged, has other keys, or its arrays are not 8-bit images.
    """
    path = own_path(config, root)
    if not path.is_file():
        raise ConfigError(f"data.path {config.path!r}: {path} is not a file; name an npz file")
    keys = npz_keys(path)
    pair = next((pair for pair in PAIRS if set(pair) <= set(keys)), None)
    single = next((key for key in SINGLES if key in keys), None)
    if pair is not None:
        arrays = zip(read_npz(path, pair), pair, strict=True)
        train, test = (_pictures(array, f"{path} [{key}]") for array, key in arrays)
        split_note = f"split: the arrays {pair[0]} and {pair[1]}"
    elif single is not None:
        images = _pictures(read_npz(path, [single])[0], f"{path} [{single}]")
        train, test = _split(images, config.test_fraction, path)
        split_note = f"split by a fixed permutation, test fraction {config.test_fraction:g}"
    else:
        raise ConfigError(
            f"{path}: holds {', '.join(sorted(keys)) or 'no arrays'}; expected train_images and test_images, "
            "train and test, or images"
        )
    left_out = sorted(set(keys) - {*(pair or (single,))})
    if pair is None and any(key.lower().removesuffix("_images") in SPLIT_NAMES for key in left_out):
        raise ConfigError(
            f"{path}: holds {', '.join(sorted(keys))}, which is half a split or one of other names; name the arrays "
            "train_images and test_images, or store all images as one array `images`"
        )
    title = f"{os.fsencode(path.stem).decode('utf-8', 'replace')} (own images)"
    raw = RawImages(
        title=title,
        train=train,
        test=test,
        sources={path.name: checksum_of(path)},
        notes=(split_note, *([f"arrays left out: {', '.join(left_out)}"] if left_out else [])),
    )
    raw = limited(raw, config)
    return replace(raw, notes=(*raw.notes, *repeat_notes(raw.train, raw.test)))


def channels_first(images: np.ndarray, label: str) -> np.ndarray:
    """Bring 8-bit images into the order (N, C, H, W).

    Args:
        images: uint8 (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3.
        label: the array, for messages.

    Raises:
        ConfigError: another type or shape, or one that could be read both ways.
    """
    if images.ndim in (3, 4) and images.dtype != np.uint8:
        raise ConfigError(f"{label}: {_range(images)}; images must be uint8, 0 to 255: store {_as_bytes(images)}")
    if images.ndim == 3:
        if images.shape[2] <= NARROW or images.shape[0] == 3:
            raise ConfigError(
                f"{label}: shape {images.shape} may be one picture with channels, or few or narrow grey images; "
                "store them as (N, H, W, C)"
            )
        return images[:, None]
    if images.ndim != 4:
        cure = "these look like labels" if images.ndim == 1 else "reshape them"
        raise ConfigError(
            f"{label}: shape {images.shape}; images must be (N, H, W), (N, H, W, C) or (N, C, H, W); {cure}"
        )
    is_first, is_last = images.shape[1] in CHANNELS, images.shape[3] in CHANNELS
    if is_first == is_last:
        problem = "could be channels first or last" if is_first else "has no axis of 1 or 3 channels"
        raise ConfigError(f"{label}: shape {images.shape} {problem}; store the images as (N, H, W, C) or (N, C, H, W)")
    return images if is_first else images.transpose(0, 3, 1, 2)


def _pictures(array: np.ndarray, label: str) -> np.ndarray:
    """The array in the order (N, C, H, W), refused where all of it is 0 or 1, which would be all but black."""
    images = channels_first(array, label)
    if images.size and images.max() <= 1:
        raise ConfigError(f"{label}: {_range(images)}; images must fill 0 to 255: store {_as_bytes(images)}")
    return images


def _range(images: np.ndarray) -> str:
    if not images.size or images.dtype.kind not in "biuf":
        return f"type {images.dtype}"
    return f"type {images.dtype}, {images.min()} to {images.max()}"


def _as_bytes(images: np.ndarray) -> str:
    """How to make 8-bit images of these, as an expression of NumPy."""
    if images.size and images.dtype.kind in "biuf" and images.min() >= 0:
        if images.max() <= 1:
            return "np.rint(255.0 * images).astype(np.uint8)"
        if images.max() <= 255:
            return "np.rint(images).astype(np.uint8)"
    return "them scaled to 0 to 255 and rounded"


def _split(images: np.ndarray, test_fraction: float, path: Path) -> tuple[np.ndarray, np.ndarray]:
    num_test = round(test_fraction * len(images))
    if not 0 < num_test < len(images):
        raise ConfigError(
            f"{path}: {len(images)} images with data.test_fraction {test_fraction:g} leave a part empty; "
            "add images or store a test array"
        )
    order = permutation(len(images), SPLIT_SEED, "npz split").numpy()
    return images[np.sort(order[num_test:])], images[np.sort(order[:num_test])]
