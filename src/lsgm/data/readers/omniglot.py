"""OMNIGLOT at 28x28 as the IWAE repository publishes it: 24,345 training and 8,070 test characters, grey.

This is the split of the paper's Table 4 (experiments, section 1). Each column of the MATLAB file is one image, stored
column by column, with intensities in [0, 1] that become 8-bit values by rounding.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lsgm.config import ConfigError, DataConfig
from lsgm.data.mat_arrays import MAX_FILE_BYTES, read_matrix
from lsgm.data.raw import RawImages, limited
from lsgm.data.source_files import SourceFile, require_root

TITLE = "OMNIGLOT, 28x28 (IWAE split)"
NUM_TRAIN = 24_345
NUM_TEST = 8_070
SIDE = 28

SOURCE = SourceFile(
    title=TITLE,
    candidates=("omniglot/chardata.mat", "omniglot_iwae/chardata.mat", "chardata.mat"),
    urls=("https://raw.githubusercontent.com/yburda/iwae/master/datasets/OMNIGLOT/chardata.mat",),
    checksum=None,
    max_bytes=MAX_FILE_BYTES,
)


def read_omniglot(config: DataConfig, root: Path | None, download: bool) -> RawImages:
    """Read `omniglot/chardata.mat` below the data root.

    Args:
        config: `num_train` and `num_test` keep fewer images.
        root: the data root.
        download: fetch the file if it is absent.

    Returns:
        Images uint8 (N, 1, 28, 28).

    Raises:
        ConfigError: the file is absent, damaged, or holds other counts than the published 24,345 and 8,070.
    """
    path = SOURCE.locate(require_root(root, TITLE), download)
    train = read_characters(path, "data", NUM_TRAIN)
    test = read_characters(path, "testdata", NUM_TEST)
    raw = RawImages(
        title=TITLE,
        train=train,
        test=test,
        sources={path.name: SOURCE.verify(path)},
    )
    return limited(raw, config)


def read_characters(path: Path, key: str, count: int) -> np.ndarray:
    """Read one matrix of characters.

    Args:
        path: MATLAB file.
        key: name of the matrix (784, N), intensities in [0, 1].
        count: the N that it must have.

    Returns:
        uint8 (count, 1, 28, 28), upright.

    Raises:
        ConfigError: the matrix is absent, damaged, of another shape, or out of range.
    """
    matrix = read_matrix(path, key, (SIDE * SIDE, count))
    if not (np.isfinite(matrix).all() and matrix.min() >= 0 and matrix.max() <= 1):
        raise ConfigError(f"{path}: matrix {key!r} has values outside [0, 1]; fetch {SOURCE.urls[0]}")
    columns = matrix.T.reshape(-1, SIDE, SIDE)
    return np.ascontiguousarray(np.rint(255 * columns).astype(np.uint8).transpose(0, 2, 1)[:, None])
