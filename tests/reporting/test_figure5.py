"""The picture of samples: every pixel is a pixel of an image, and the same images give the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lsgm.reporting.figures.figure5 import SampleBlock, sample_grid, write_figure5


def test_grid_holds_the_pixels_unchanged():
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8), dtype=np.uint8)
    picture = sample_grid(images, rows=2, columns=3)
    assert picture.shape == (2 * 64 + 4, 3 * 64 + 2 * 4, 3)
    for index in range(5):
        top, left = index // 3 * 68, index % 3 * 68
        small = picture[top : top + 64 : 8, left : left + 64 : 8]
        np.testing.assert_allclose(small, images[index].transpose(1, 2, 0) / 255)
        np.testing.assert_array_equal(picture[top + 7, left], picture[top, left])
    assert (picture[68:, 136:] == 1).all()
    assert (picture[64:68] == 1).all()


def test_gray_and_float_images():
    images = np.linspace(0, 1, 2 * 32 * 32).reshape(2, 1, 32, 32)
    picture = sample_grid(images, rows=1, columns=2)
    assert picture.shape == (64, 132, 3)
    np.testing.assert_allclose(picture[::2, :64:2, 1], images[0, 0])


def test_large_images_are_not_shrunk():
    assert sample_grid(np.zeros((1, 3, 256, 256), np.uint8), rows=1, columns=1).shape == (256, 256, 3)


def test_bad_images():
    with pytest.raises(ValueError, match="shape"):
        sample_grid(np.zeros((2, 8, 8, 3)))
    with pytest.raises(ValueError, match="shape"):
        sample_grid(np.zeros((0, 3, 8, 8)))
    with pytest.raises(ValueError, match="not finite"):
        sample_grid(np.full((1, 1, 8, 8), np.nan))
    with pytest.raises(ValueError, match="at least one"):
        write_figure5([], "nowhere")


def test_files(tmp_path):
    rng = np.random.default_rng(1)
    colour = rng.integers(0, 256, (40, 3, 16, 16), dtype=np.uint8)
    entries = [
        SampleBlock("first (stand-in)", {"real": rng.random((40, 1, 8, 8)), "samples": rng.random((3, 1, 8, 8))}),
        SampleBlock("second", {"real": colour, "VAE": colour[::-1], "LSGM": rng.random((40, 3, 16, 16))}),
    ]
    first = write_figure5(entries, tmp_path / "a" / "figure5")
    second = write_figure5(entries, tmp_path / "b" / "figure5")
    assert [path.name for path in first] == ["figure5.png", "figure5.pdf"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    with Image.open(first[0]) as picture:
        assert min(picture.size) > 600
        assert len(np.unique(np.asarray(picture.convert("L")))) > 50
