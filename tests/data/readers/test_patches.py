"""Patches of scikit-learn's photographs: no pixel serves both training and testing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from lsgm.config import ConfigError, DataConfig
from lsgm.data.readers.patches import blocks, patch_positions, read_patches

SHAPES = [(427, 640), (427, 640)]


def coverage(side: int, is_test: bool) -> list[np.ndarray]:
    """For each photograph, which pixels some patch of a part contains."""
    photographs = [np.empty((*shape, 3), np.uint8) for shape in SHAPES]
    covered = [np.zeros(shape, bool) for shape in SHAPES]
    for photo, top, left in patch_positions(photographs, side, is_test):
        covered[photo][top : top + side, left : left + side] = True
    return covered


@pytest.mark.parametrize("side", [8, 16])
def test_training_and_test_areas_are_disjoint_in_both_photographs(side):
    for train, test in zip(coverage(side, False), coverage(side, True), strict=True):
        assert not (train & test).any()
        assert 0.15 < test.mean() < 0.25
        assert train.mean() + test.mean() == 1


def test_blocks_tile_the_photograph():
    covered = np.zeros((427, 640), int)
    for block in blocks(0, 427, 640):
        covered[block.top : block.bottom, block.left : block.right] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize("side", [4, 8, 16, 32])
def test_patches_are_cut_from_the_photographs(side):
    raw = read_patches(DataConfig(name="patches", patch_size=side, num_train=50, num_test=20), None, False)
    assert raw.train.shape == (50, 3, side, side) and raw.test.shape == (20, 3, side, side)
    photographs = load_sample_images().images
    windows = [np.lib.stride_tricks.sliding_window_view(photo, (side, side), axis=(0, 1)) for photo in photographs]
    for patch in (*raw.train[:3], *raw.test[:3]):
        corner = [np.argwhere((window[..., 0, 0] == patch[:, 0, 0]).all(-1)) for window in windows]
        places = [window[y, x] for window, found in zip(windows, corner, strict=True) for y, x in found]
        assert any(np.array_equal(place, patch) for place in places)


def test_default_counts_and_determinism():
    first, second = (read_patches(DataConfig(name="patches"), None, False) for _ in range(2))
    assert first.train.shape == (10_000, 3, 8, 8) and first.test.shape == (2_000, 3, 8, 8)
    assert np.array_equal(first.train, second.train) and np.array_equal(first.test, second.test)
    assert first.title == "patches of two photographs, 8x8"
    assert any("disjoint" in note for note in first.notes)


def test_impossible_requests_are_errors():
    with pytest.raises(ConfigError, match=r"data\.patch_size is 33"):
        read_patches(DataConfig(name="patches", patch_size=33), None, False)
    with pytest.raises(ConfigError, match=r"data\.num_test is 10000000"):
        read_patches(DataConfig(name="patches", num_test=10_000_000), None, False)
