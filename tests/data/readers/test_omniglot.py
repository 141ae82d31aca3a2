"""OMNIGLOT's MATLAB file, with small ones made here."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from lsgm.config import ConfigError, DataConfig
from lsgm.data.readers import omniglot
from lsgm.data.readers.omniglot import read_characters, read_omniglot

RNG = np.random.default_rng(0)
TRAIN = RNG.integers(0, 256, (6, 28, 28), dtype=np.uint8)
TEST = RNG.integers(0, 256, (4, 28, 28), dtype=np.uint8)


def columns(images: np.ndarray) -> np.ndarray:
    """As published: one image per column, its own columns one after another, in [0, 1]."""
    return np.stack([image.flatten(order="F") / 255 for image in images], axis=1)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "omniglot").mkdir()
    savemat(tmp_path / "omniglot" / "chardata.mat", {"data": columns(TRAIN), "testdata": columns(TEST)})
    return tmp_path


def test_characters_are_upright_and_exact(root, monkeypatch):
    monkeypatch.setattr(omniglot, "NUM_TRAIN", 6)
    monkeypatch.setattr(omniglot, "NUM_TEST", 4)
    raw = read_omniglot(DataConfig(name="omniglot"), root, False)
    assert np.array_equal(raw.train[:, 0], TRAIN) and np.array_equal(raw.test[:, 0], TEST)
    assert read_omniglot(DataConfig(name="omniglot", num_train=2), root, False).train.shape == (2, 1, 28, 28)


def test_other_counts_are_refused(root):
    with pytest.raises(ConfigError, match=r"\(784, 6\), expected \(784, 24345\)"):
        read_omniglot(DataConfig(name="omniglot"), root, False)


@pytest.mark.parametrize("value", [-0.1, 1.5, np.nan])
def test_values_out_of_range_are_refused(tmp_path, value):
    matrix = columns(TEST)
    matrix[3, 2] = value
    savemat(tmp_path / "x.mat", {"data": matrix})
    with pytest.raises(ConfigError, match=r"outside \[0, 1\]"):
        read_characters(tmp_path / "x.mat", "data", 4)


def test_other_keys_and_kinds_are_refused(tmp_path):
    path = tmp_path / "x.mat"
    savemat(path, {"other": columns(TEST)})
    with pytest.raises(ConfigError, match="no matrix 'data'; the file holds other"):
        read_characters(path, "data", 4)
    savemat(path, {"data": np.full((784, 4), "text", dtype=object)})
    with pytest.raises(ConfigError, match=r"x\.mat"):
        read_characters(path, "data", 4)


@pytest.mark.parametrize("length", [0, 10, 130, 500, 5000])
@pytest.mark.parametrize("compressed", [True, False])
def test_truncated_files_are_refused(tmp_path, length, compressed):
    path = tmp_path / "x.mat"
    savemat(path, {"data": columns(TEST)}, do_compression=compressed)
    path.write_bytes(path.read_bytes()[: min(length, path.stat().st_size - 1)])
    with pytest.raises(ConfigError, match=r"x\.mat"):
        read_characters(path, "data", 4)
