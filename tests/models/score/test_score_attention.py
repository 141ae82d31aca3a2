from __future__ import annotations

import math

import torch
from torch.nn import functional as F

from lsgm.models.score.attention import Attention


def randomised(channels: int) -> Attention:
    attention = Attention(channels)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in attention.parameters():
            weight.copy_(0.5 * torch.randn(weight.shape, generator=generator))
    return attention


def test_attention_is_the_formula():
    attention = randomised(8).double()
    x = torch.randn(2, 8, 3, 5, dtype=torch.float64)
    h = F.group_norm(x, 2, attention.norm.weight, attention.norm.bias, 1e-6).flatten(2)
    query, key, value = (
        layer.weight @ h + layer.bias[:, None] for layer in (attention.query, attention.key, attention.value)
    )
    weights = torch.softmax(query.transpose(1, 2) @ key / math.sqrt(8), dim=-1)
    averaged = value @ weights.transpose(1, 2)
    output = attention.output.weight @ averaged + attention.output.bias[:, None]
    expected = (x + output.reshape(x.shape)) / math.sqrt(2)
    torch.testing.assert_close(attention(x), expected, rtol=1e-12, atol=1e-12)


def test_positions_have_no_order():
    attention = randomised(8).double()
    x = torch.randn(1, 8, 4, 4, dtype=torch.float64)
    order = torch.randperm(16)
    permuted = x.flatten(2)[:, :, order].reshape(x.shape)
    expected = attention(x).flatten(2)[:, :, order].reshape(x.shape)
    torch.testing.assert_close(attention(permuted), expected, rtol=1e-12, atol=1e-12)


def test_softmax_runs_in_float32_under_autocast(monkeypatch):
    seen = []
    original = F.scaled_dot_product_attention

    def spy(*parts):
        seen.extend(part.dtype for part in parts)
        return original(*parts)

    monkeypatch.setattr(F, "scaled_dot_product_attention", spy)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        randomised(8)(torch.randn(1, 8, 4, 4))
    assert seen == [torch.float32] * 3
