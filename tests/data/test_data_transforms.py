"""Raw bytes to network inputs, against the formula of the specification."""

from __future__ import annotations

import math

import pytest
import torch

from lsgm.config import DataConfig
from lsgm.data import to_model_input

ALL_LEVELS = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)


def config(**settings) -> DataConfig:
    return DataConfig(name="npz", path="x.npz", **settings)


@pytest.mark.parametrize("bits", range(1, 9))
def test_bit_reduction_is_the_published_formula(bits):
    expected = [2 * math.floor(u / 2 ** (8 - bits)) / (2**bits - 1) - 1 for u in range(256)]
    inputs = to_model_input(ALL_LEVELS, config(num_bits=bits))
    torch.testing.assert_close(
        inputs.flatten().double(), torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0
    )
    assert inputs.unique().numel() == 2**bits
    assert inputs.min() == -1 and inputs.max() == 1


def test_binarisation_is_bernoulli_of_the_intensity():
    uniforms = torch.rand(4000, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    inputs = to_model_input(ALL_LEVELS.expand(4000, -1, -1, -1), config(binarise=True), uniforms)
    assert set(inputs.unique().tolist()) == {-1.0, 1.0}
    frequency = (inputs > 0).double().mean(0).flatten()
    intensity = torch.arange(256).double() / 255
    deviation = (frequency - intensity).abs() / (intensity * (1 - intensity) / 4000).sqrt().clamp(min=1e-9)
    assert deviation.max() < 5
    assert frequency[0] == 0 and frequency[255] == 1


def test_binarisation_of_the_extremes_never_errs():
    extremes = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    for uniform in (0.0, 1 - 2**-24):
        inputs = to_model_input(extremes, config(binarise=True), torch.full((2, 1, 1, 1), uniform))
        assert inputs.flatten().tolist() == [-1.0, 1.0]


def test_padding_is_a_zero_pixel_and_the_centre_is_untouched():
    plain, padded = (to_model_input(ALL_LEVELS, config(pad=pad)) for pad in (0, 2))
    assert padded.shape == (1, 1, 20, 20)
    assert torch.equal(padded[..., 2:-2, 2:-2], plain)
    border = padded.clone()
    border[..., 2:-2, 2:-2] = -1
    assert (border == -1).all()


def test_flips_mirror_the_chosen_images_only():
    images = ALL_LEVELS.expand(3, -1, -1, -1)
    plain = to_model_input(images, config())
    flipped = to_model_input(images, config(), flips=torch.tensor([True, False, True]))
    assert torch.equal(flipped[1], plain[1])
    assert torch.equal(flipped[0, :, :, 0], plain[0, :, :, -1])
    assert torch.equal(flipped[2], plain[2].flip(-1))


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="uint8"):
        to_model_input(ALL_LEVELS.float(), config())
    with pytest.raises(ValueError, match="uniforms"):
        to_model_input(ALL_LEVELS, config(binarise=True))
    with pytest.raises(ValueError, match="uniforms"):
        to_model_input(ALL_LEVELS, config(), torch.rand(1, 1, 16, 16))
