"""Colour patches of the two photographs that scikit-learn carries, 427x640 pixels each (demo stand-in).

Each photograph is divided into blocks of about 64x64 pixels; every fifth block, in a slanted pattern over the whole
picture, is for testing. A patch lies wholly inside one block, so no pixel is in both parts. Patches of one part are
distinct positions and may overlap one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from lsgm.config import ConfigError, DataConfig
from lsgm.data.raw import SPLIT_SEED, RawImages
from lsgm.data.source_files import digest_of
from lsgm.randomness import permutation

BLOCK_SIDE = 64
MAX_PATCH_SIDE = BLOCK_SIDE // 2
TEST_EVERY = 5
NUM_TRAIN = 10_000
NUM_TEST = 2_000


@dataclass(frozen=True)
class Block:
    """A rectangle of one photograph: rows top..bottom-1, columns left..right-1, and the part that it serves."""

    photograph: int
    top: int
    bottom: int
    left: int
    right: int
    is_test: bool


def blocks(photograph: int, height: int, width: int) -> list[Block]:
    """Divide a photograph into blocks that cover it without overlap.

    Args:
        photograph: its index.
        height: rows of pixels.
        width: columns of pixels.
    """
    rows = _edges(height)
    columns = _edges(width)
    return [
        Block(photograph, top, bottom, left, right, (column + 2 * row + photograph) % TEST_EVERY == 0)
        for row, (top, bottom) in enumerate(pairwise(rows))
        for column, (left, right) in enumerate(pairwise(columns))
    ]


def patch_positions(photographs: list[np.ndarray], side: int, is_test: bool) -> np.ndarray:
    """All places of a part where a patch lies wholly inside a block.

    Args:
        photographs: arrays (height, width, 3).
        side: of a patch, in pixels.
        is_test: which part.

    Returns:
        int64 (positions, 3): photograph, top row, left column.
    """
    places = []
    for index, photograph in enumerate(photographs):
        for block in blocks(index, *photograph.shape[:2]):
            if block.is_test == is_test:
                tops = np.arange(block.top, block.bottom - side + 1)
                lefts = np.arange(block.left, block.right - side + 1)
                grid = np.stack(np.meshgrid([index], tops, lefts, indexing="ij"), axis=-1)
                places.append(grid.reshape(-1, 3))
    return np.concatenate(places)


def read_patches(config: DataConfig, root: Path | None, download: bool) -> RawImages:
    """Cut patches of side `config.patch_size`; neither a data root nor the network is needed.

    Args:
        config: `patch_size`, `num_train` (default 10,000) and `num_test` (default 2,000).
        root: not used.
        download: not used.

    Returns:
        Images uint8 (N, 3, side, side).

    Raises:
        ConfigError: the patches are too large, or more are asked for than there are positions.
    """
    from sklearn.datasets import load_sample_images

    side = config.patch_size
    if side > MAX_PATCH_SIDE:
        raise ConfigError(f"data.patch_size is {side}; patches of at most {MAX_PATCH_SIDE} pixels are cut")
    dataset = load_sample_images()
    photographs = [np.ascontiguousarray(image) for image in dataset.images]
    names = [Path(name).name for name in dataset.filenames]
    return RawImages(
        title=f"patches of two photographs, {side}x{side}",
        train=_cut(photographs, side, False, config.num_train or NUM_TRAIN, "num_train"),
        test=_cut(photographs, side, True, config.num_test or NUM_TEST, "num_test"),
        sources={name: digest_of(photo.tobytes()) for name, photo in zip(names, photographs, strict=True)},
        notes=(
            f"training and test patches from disjoint areas: every {TEST_EVERY}th block of about "
            f"{BLOCK_SIDE}x{BLOCK_SIDE} pixels is for testing",
            "patches of one part may overlap one another",
        ),
    )


def _edges(length: int) -> list[int]:
    count = length // BLOCK_SIDE
    return [length * index // count for index in range(count + 1)]


def _cut(photographs: list[np.ndarray], side: int, is_test: bool, count: int, key: str) -> np.ndarray:
    positions = patch_positions(photographs, side, is_test)
    if count > len(positions):
        raise ConfigError(f"data.{key} is {count}, but there are {len(positions):,} places for such a patch; lower it")
    chosen = permutation(len(positions), SPLIT_SEED, f"patches for {key}").numpy()[:count]
    patches = [photographs[photo][top : top + side, left : left + side] for photo, top, left in positions[chosen]]
    return np.ascontiguousarray(np.stack(patches).transpose(0, 3, 1, 2))
