"""What every reader hands over: raw 8-bit images in two parts, with where they came from.

A part is cut down (`data.num_train`, `data.num_test`) by a subset drawn with a fixed seed, so that classes or alphabets
that lie one after another in the source stay represented and the same setting always keeps the same images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lsgm.config import ConfigError, DataConfig
from lsgm.randomness import permutation

SPLIT_SEED = 0
"""Seed of every fixed choice (splits, subsets, patch positions); the seed of a run never changes the data."""


@dataclass(frozen=True)
class RawImages:
    """Images of one data set as read from its source.

    Attributes:
        title: name as a table or a caption shows it, such as `"scikit-learn digits, 8x8"`.
        train: training images, uint8 (N, C, H, W).
        test: test images, uint8 (M, C, H, W).
        sources: checksum of each source, `"md5:..."` or `"sha256:..."`, by name.
        notes: what a reader of a result must know, such as `"test: 9,980 of 10,000 images"`.
    """

    title: str
    train: np.ndarray
    test: np.ndarray
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for images in (self.train, self.test):
            if images.dtype != np.uint8 or images.ndim != 4:
                raise ValueError(f"{self.title}: images are {images.dtype} {images.shape}, not uint8 (N, C, H, W)")
        if self.train.shape[1:] != self.test.shape[1:]:
            raise ConfigError(
                f"{self._label}: training images have shape {self.train.shape[1:]} and test images "
                f"{self.test.shape[1:]} (channels, height, width); both parts must have one shape"
            )
        for part, images in (("training", self.train), ("test", self.test)):
            if images.size == 0:
                raise ConfigError(f"{self._label}: no {part} images; shape {images.shape}")

    @property
    def _label(self) -> str:
        """The data set and its files, for messages."""
        return f"{self.title} ({', '.join(self.sources)})" if self.sources else self.title


def subset(count: int, limit: int | None, part: str, title: str) -> np.ndarray:
    """Choose which images of a part are kept.

    Args:
        count: number of images that the source has.
        limit: `data.num_train` or `data.num_test`; None keeps all.
        part: `"train"` or `"test"`.
        title: the data set, for the message.

    Returns:
        Increasing indices into the part, int64 (min(count, limit),).

    Raises:
        ConfigError: more images are asked for than there are.
    """
    if limit is None or limit == count:
        return np.arange(count)
    if limit > count:
        raise ConfigError(
            f"data.num_{part} is {limit}, but {title} has {count} {part} images; lower it or leave it out"
        )
    chosen = permutation(count, SPLIT_SEED, f"{part} images kept")[:limit]
    return np.sort(chosen.numpy())


def limited(raw: RawImages, config: DataConfig) -> RawImages:
    """Cut a whole data set down to `data.num_train` and `data.num_test` images, and note it.

    Args:
        raw: all images of the source.
        config: the limits; None keeps all.

    Raises:
        ConfigError: more images are asked for than there are.
    """
    train = subset(len(raw.train), config.num_train, "train", raw.title)
    test = subset(len(raw.test), config.num_test, "test", raw.title)
    notes = (
        *raw.notes,
        *subset_note(len(raw.train), len(train), "train"),
        *subset_note(len(raw.test), len(test), "test"),
    )
    return replace(raw, train=raw.train[train], test=raw.test[test], notes=notes)


def repeat_notes(train: np.ndarray, test: np.ndarray) -> tuple[str, ...]:
    """Say that images are there more than once, in a part or in both; nothing if none is.

    Args:
        train: uint8 (N, C, H, W).
        test: uint8 (M, C, H, W).
    """
    parts = {
        name: [hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() for image in images]
        for name, images in (("training", train), ("test", test))
    }
    repeated = {name: len(part) - len(set(part)) for name, part in parts.items()}
    shared = len(set(parts["training"]) & set(parts["test"]))
    notes = [f"{count:,} {name} images repeat another one" for name, count in repeated.items() if count]
    return (*notes, *([f"{shared:,} test images are training images too"] if shared else []))


def subset_note(count: int, kept: int, part: str) -> tuple[str, ...]:
    """Say that a part was cut down; nothing if it was not."""
    return () if kept == count else (f"{part}: {kept:,} of {count:,} images, drawn with a fixed seed",)
