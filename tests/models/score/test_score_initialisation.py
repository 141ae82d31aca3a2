from __future__ import annotations

import math

import pytest
import torch

from lsgm.config import ConfigError
from lsgm.models.score.initialisation import variance_scaling_
from lsgm.models.score.layers import convolution, group_norm, linear


@pytest.mark.parametrize(("shape", "fan_mean"), [((96, 160), 128), ((24, 40, 3, 3), 32 * 9)])
@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_variance_and_range(shape, fan_mean, scale):
    torch.manual_seed(0)
    weight = variance_scaling_(torch.empty(shape), scale)
    bound = math.sqrt(3 * scale / fan_mean)
    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.99 * bound
    assert weight.var().item() == pytest.approx(scale / fan_mean, rel=0.05)
    assert abs(weight.mean().item()) < 0.05 * bound


def test_scale_zero_is_tiny_but_not_zero():
    weight = variance_scaling_(torch.empty(64, 64, 3, 3), 0.0)
    assert 0 < weight.abs().max() < 1e-5
    assert (weight != 0).float().mean() > 0.99


def test_biases_start_at_zero():
    assert not convolution(4, 8).bias.any()
    assert not linear(4, 8).bias.any()


@pytest.mark.parametrize(("channels", "groups"), [(4, 1), (32, 8), (60, 15), (128, 32), (1024, 32)])
def test_groups(channels, groups):
    norm = group_norm(channels)
    assert norm.num_groups == groups
    assert norm.eps == 1e-6


def test_channels_that_groups_do_not_divide_are_an_input_error():
    with pytest.raises(ConfigError, match=r"240 channels.*32"):
        group_norm(240)
