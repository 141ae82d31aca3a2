"""Features of image i, and with them the Fréchet distance, are the same at any batch size and place in the set."""

from __future__ import annotations

import pytest
import torch

from lsgm.config import FrechetConfig
from lsgm.evaluation.frechet import build_features, frechet_distance

COUNT = 23


def images(seed: int, count: int = COUNT) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 8, 8), generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("size", [1, 4, COUNT])
def test_features_of_an_image(size):
    network = build_features(FrechetConfig(features="random_conv"), None)
    whole = network(images(1) / 255)
    parts = torch.cat([network(part / 255) for part in images(1).split(size)])
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(network(images(1)[order] / 255), whole[order], rtol=1e-5, atol=1e-6)


def test_distance():
    settings = FrechetConfig(features="random_conv")
    first, *others = (
        frechet_distance(images(1), images(3), settings.model_copy(update={"batch_size": size})).value
        for size in (COUNT, 5, 1)
    )
    assert first > 0.01
    assert others == pytest.approx([first] * 2, rel=1e-5)
