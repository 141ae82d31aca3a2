"""Handwritten digits that scikit-learn carries: 1,797 grey images of 8x8 pixels with 17 levels (demo stand-in).

The source has no split into parts; a fixed permutation makes one. Levels 0..16 become 8-bit intensities.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lsgm.config import DataConfig
from lsgm.data.raw import SPLIT_SEED, RawImages, limited
from lsgm.data.source_files import digest_of
from lsgm.randomness import permutation

TITLE = "scikit-learn digits, 8x8"
NUM_TEST = 500
MAX_LEVEL = 16


def read_digits(config: DataConfig, root: Path | None, download: bool) -> RawImages:
    """Read scikit-learn's digits; neither a data root nor the network is needed.

    Args:
        config: `num_train` and `num_test` keep fewer than the 1,297 and 500 images.
        root: not used.
        download: not used.

    Returns:
        Images uint8 (N, 1, 8, 8).

    Raises:
        ConfigError: more images are asked for than there are.
    """
    from sklearn.datasets import load_digits

    levels = load_digits().images
    images = np.rint(255 * levels / MAX_LEVEL).astype(np.uint8)[:, None]
    order = permutation(len(images), SPLIT_SEED, "digits split").numpy()
    test, train = images[order[:NUM_TEST]], images[order[NUM_TEST:]]
    raw = RawImages(
        title=TITLE,
        train=train,
        test=test,
        sources={"sklearn.datasets.load_digits": digest_of(images.tobytes())},
        notes=(
            f"split by a fixed permutation of the {len(images):,} images: {len(train):,} training, {len(test)} test",
        ),
    )
    return limited(raw, config)
