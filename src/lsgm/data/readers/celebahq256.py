"""CelebA-HQ at 256x256: 27,000 training and 3,000 validation faces, RGB (experiments, section 1).

The faces may not be passed on, so they are never fetched. Expected below `celebahq256/` or `celeba_hq/` in the data
root, as raw 8-bit RGB: folders `train/` and `validation/` of PNG files, or arrays `train*.npy` and `validation*.npy`
(or `.npz` with one array each), in NHWC or NCHW, in name order. The 5-bit reduction happens when a batch is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lsgm.config import ConfigError, DataConfig
from lsgm.data.image_files import read_images
from lsgm.data.npz_arrays import npz_keys, read_npy, read_npz
from lsgm.data.raw import RawImages, subset, subset_note
from lsgm.data.source_files import checksum_of, require_root
from lsgm.data_files import list_images

from .npz import channels_first

TITLE = "CelebA-HQ, 256x256"
FOLDERS = ("celebahq256", "celeba_hq")
SHAPE = (3, 256, 256)
COUNTS = {"train": 27_000, "validation": 3_000}
LAYOUT = (
    "expected are the 27,000/3,000 faces of the Glow repository's TFRecords (256x256, level r08) as PNG files in "
    "train/ and validation/, or as uint8 arrays train*.npy and validation*.npy"
)


@dataclass(frozen=True)
class _Part:
    images: np.ndarray
    count: int
    source: str
    checksum: str


def read_celebahq256(config: DataConfig, root: Path | None, download: bool) -> RawImages:
    """Read CelebA-HQ from the data root.

    Args:
        config: `num_train` and `num_test` keep fewer images.
        root: the data root.
        download: not used; these files are never fetched.

    Returns:
        Images uint8 (N, 3, 256, 256).

    Raises:
        ConfigError: the files are absent, damaged, of another size, or of another number.
    """
    root = require_root(root, TITLE)
    folder = next((root / name for name in FOLDERS if (root / name).is_dir()), None)
    if folder is None:
        raise ConfigError(f"{TITLE}: {root / FOLDERS[0]} is absent and never fetched; {LAYOUT}")
    train = _read_part(folder, "train", config.num_train, "train")
    test = _read_part(folder, "validation", config.num_test, "test")
    return RawImages(
        title=TITLE,
        train=train.images,
        test=test.images,
        sources={part.source: part.checksum for part in (train, test)},
        notes=(
            *subset_note(train.count, len(train.images), "train"),
            *subset_note(test.count, len(test.images), "test"),
        ),
    )


def _read_part(folder: Path, name: str, limit: int | None, key: str) -> _Part:
    shards = sorted(path for path in folder.glob(f"{name}*") if path.suffix in (".npy", ".npz"))
    if shards:
        images = np.concatenate(_read_shards(shards, COUNTS[name]))
        kept = _kept(folder, name, len(images), limit, key)
        checksum = "sha256:" + "+".join(checksum_of(path).removeprefix("sha256:") for path in shards)
        return _Part(images[kept], len(images), f"{name}*{shards[0].suffix}", checksum)
    files = list_images(folder / name).files if (folder / name).is_dir() else []
    kept = _kept(folder, name, len(files), limit, key)
    stack = read_images([files[index] for index in kept], folder)
    _require_shape(stack.images, files[0])
    return _Part(stack.images, len(files), f"{name}/ ({len(kept):,} files)", stack.checksum)


def _read_shards(paths: list[Path], most: int) -> list[np.ndarray]:
    """Read shards until there are more images than there can be."""
    shards: list[np.ndarray] = []
    for path in paths:
        shards.append(_read_shard(path))
        if sum(map(len, shards)) > most:
            break
    return shards


def _read_shard(path: Path) -> np.ndarray:
    if path.suffix == ".npz":
        keys = npz_keys(path)
        if len(keys) != 1:
            raise ConfigError(f"{path}: {len(keys)} arrays, expected one; {LAYOUT}")
        (images,) = read_npz(path, keys)
    else:
        images = read_npy(path)
    images = channels_first(images, str(path))
    _require_shape(images, path)
    return images


def _require_shape(images: np.ndarray, path: Path) -> None:
    if images.shape[1:] != SHAPE:
        raise ConfigError(f"{path}: images of shape {images.shape[1:]}, expected {SHAPE}; {LAYOUT}")


def _kept(folder: Path, name: str, count: int, limit: int | None, key: str) -> np.ndarray:
    if count != COUNTS[name]:
        raise ConfigError(
            f"{folder}: {count:,} {name} images, expected {COUNTS[name]:,}; {LAYOUT}. "
            "For other faces use data.name folder"
        )
    return subset(count, limit, key, TITLE)
