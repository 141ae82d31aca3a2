from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from lsgm.models.score.residual_block import ResidualBlock


def randomised(block: ResidualBlock) -> ResidualBlock:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in block.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))
    return block.double().eval()


@pytest.mark.parametrize(("in_channels", "out_channels"), [(8, 8), (8, 16)])
@pytest.mark.parametrize("resample", [None, "up", "down"])
@pytest.mark.parametrize("fir", [True, False])
def test_block_is_the_formula(in_channels, out_channels, resample, fir):
    block = randomised(ResidualBlock(in_channels, out_channels, 12, 0.5, resample, fir))
    x = torch.randn(2, in_channels, 4, 4, dtype=torch.float64)
    embedding = torch.randn(2, 12, dtype=torch.float64)
    weights = dict(block.named_parameters())

    def norm(name: str, value: torch.Tensor) -> torch.Tensor:
        return F.group_norm(value, value.shape[1] // 4, weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-6)

    branch = block.resample(F.silu(norm("norm_in", x)))
    branch = F.conv2d(branch, weights["conv_in.weight"], weights["conv_in.bias"], padding=1)
    projected = F.silu(embedding) @ weights["time_projection.weight"].T + weights["time_projection.bias"]
    branch = branch + projected[:, :, None, None]
    branch = F.conv2d(F.silu(norm("norm_out", branch)), weights["conv_out.weight"], weights["conv_out.bias"], padding=1)
    skip = block.resample(x)
    if in_channels != out_channels or resample:
        skip = F.conv2d(skip, weights["skip.weight"], weights["skip.bias"])
    else:
        assert "skip.weight" not in weights
    side = {None: 4, "up": 8, "down": 2}[resample]
    assert skip.shape[2:] == (side, side)
    torch.testing.assert_close(block(x, embedding), (skip + branch) / math.sqrt(2), rtol=1e-12, atol=1e-12)


def test_fresh_block_passes_its_input_on():
    block = ResidualBlock(8, 8, 12, 0.0)
    x = torch.randn(2, 8, 4, 4)
    torch.testing.assert_close(block(x, torch.randn(2, 12)), x / math.sqrt(2), rtol=0, atol=1e-4)


def test_dropout_acts_in_training_only():
    block = randomised(ResidualBlock(8, 8, 12, 0.5)).float()
    x, embedding = torch.randn(2, 8, 4, 4), torch.randn(2, 12)
    assert torch.equal(block(x, embedding), block(x, embedding))
    block.train()
    assert not torch.equal(block(x, embedding), block(x, embedding))
