"""The MATLAB reader against SciPy's writer, and against damaged files."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from lsgm.config import ConfigError
from lsgm.data.mat_arrays import read_matrix

RNG = np.random.default_rng(0)
MATRIX = RNG.random((12, 5)).round(1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.mat"


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8, np.int16, np.int64])
@pytest.mark.parametrize("key", ["a", "data", "a_longer_name"])
def test_matrices_of_every_type_come_back(path, compressed, dtype, key):
    matrix = (10 * MATRIX).astype(dtype)
    others = {"text": "abc", "cell": np.array(["a", 3], dtype=object), "z": 1j * MATRIX}
    savemat(path, {"first": MATRIX, **others, key: matrix}, do_compression=compressed)
    assert np.array_equal(read_matrix(path, key, (12, 5)), matrix)


def test_small_matrices_packed_into_a_tag_come_back(path):
    savemat(path, {"data": np.array([[1, 2, 3]], dtype=np.uint8)})
    assert read_matrix(path, "data", (1, 3)).tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("value", ["text", 1j * MATRIX, np.full((12, 5), "x", dtype=object)])
def test_other_kinds_are_refused(path, value):
    savemat(path, {"data": value})
    shape = (1,) if isinstance(value, str) else value.shape
    with pytest.raises(ConfigError, match=r"x\.mat"):
        read_matrix(path, "data", shape)


def test_a_bomb_is_unpacked_no_further_than_the_shape_needs(path):
    savemat(path, {"data": np.zeros((1000, 1000))}, do_compression=True)
    assert path.stat().st_size < 10_000
    with pytest.raises(ConfigError, match=r"\(1000, 1000\), expected \(12, 5\)"):
        read_matrix(path, "data", (12, 5))


@pytest.mark.parametrize("compressed", [True, False])
def test_damaged_files_give_user_errors_only(path, compressed):
    savemat(path, {"first": MATRIX, "data": MATRIX}, do_compression=compressed)
    whole = path.read_bytes()
    for _ in range(500):
        data = bytearray(whole[: RNG.integers(1, len(whole))] if RNG.random() < 0.3 else whole)
        for position in RNG.integers(0, len(data), 3):
            data[position] = RNG.integers(256)
        path.write_bytes(data)
        try:
            read_matrix(path, "data", (12, 5))
        except ConfigError as error:
            assert "\n" not in str(error) and str(path) in str(error)
