from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from lsgm.models.score.time_embedding import EMBEDDINGS, FourierFeatures, PositionalFeatures, TimeEmbedding


def test_positional_features_are_the_formula():
    times = torch.tensor([0.0, 0.013, 1.0], dtype=torch.float64)
    features = PositionalFeatures(128, 1000.0)(times)
    for row, time in zip(features, times.tolist(), strict=True):
        angles = [1000 * time * math.exp(-k * math.log(1e4) / 63) for k in range(64)]
        expected = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
        torch.testing.assert_close(row, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-11)


def test_fourier_features_are_the_formula_and_saved():
    torch.manual_seed(0)
    layer = FourierFeatures(128, 16.0)
    frequencies = layer.state_dict()["frequencies"]
    assert frequencies.shape == (64,)
    assert frequencies.std().item() == pytest.approx(16, rel=0.3)
    angles = 2 * math.pi * 0.3 * frequencies.double()
    expected = torch.cat([angles.sin(), angles.cos()])
    torch.testing.assert_close(layer(torch.tensor([0.3], dtype=torch.float64))[0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_embedding_is_two_linear_layers_on_the_features(name):
    embedding = TimeEmbedding(name, 8, 1.0).double()
    times = torch.tensor([0.2, 0.9], dtype=torch.float64)
    hidden = F.silu(embedding.features(times) @ embedding.first.weight.T + embedding.first.bias)
    expected = hidden @ embedding.second.weight.T + embedding.second.bias
    assert embedding.width == 32
    torch.testing.assert_close(embedding(times), expected)


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_full_precision_under_autocast(name):
    embedding = TimeEmbedding(name, 16, 10.0)
    times = torch.tensor([0.1234, 0.5678])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = embedding(times)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, embedding(times))
