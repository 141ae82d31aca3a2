"""scikit-learn's digits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from lsgm.config import ConfigError, DataConfig
from lsgm.data.readers.digits import read_digits


def test_every_image_is_in_exactly_one_part():
    raw = read_digits(DataConfig(name="digits"), None, False)
    assert raw.train.shape == (1297, 1, 8, 8) and raw.test.shape == (500, 1, 8, 8)
    levels = {round(255 * level / 16): level for level in range(17)}
    ours = np.concatenate([raw.train, raw.test])
    back = sorted(tuple(levels[value] for value in image.ravel().tolist()) for image in ours)
    assert back == sorted(tuple(image.ravel().astype(int).tolist()) for image in load_digits().images)


def test_limits_keep_images_of_their_own_part():
    full = read_digits(DataConfig(name="digits"), None, False)
    some = read_digits(DataConfig(name="digits", num_train=90, num_test=30), None, False)
    for part, count in (("train", 90), ("test", 30)):
        rows = {image.tobytes() for image in getattr(full, part)}
        assert len(getattr(some, part)) == count
        assert all(image.tobytes() in rows for image in getattr(some, part))
    assert "train: 90 of 1,297 images, drawn with a fixed seed" in some.notes


def test_more_than_there_are_is_an_error():
    with pytest.raises(ConfigError, match=r"data\.num_test is 501.*500"):
        read_digits(DataConfig(name="digits", num_test=501), None, False)
