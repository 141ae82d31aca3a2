from __future__ import annotations

import pytest
import torch

from lsgm.training.latents import largest_squared_distance


@pytest.mark.parametrize("block", [3, 7, 64])
def test_largest_distance_against_all_pairs(block):
    latents = torch.randn(20, 6, generator=torch.Generator().manual_seed(0)) + 100
    expected = torch.cdist(latents.double(), latents.double()).square().max().item()
    found = largest_squared_distance(latents, torch.device("cpu"), block)
    assert found == pytest.approx(expected, rel=1e-12)
