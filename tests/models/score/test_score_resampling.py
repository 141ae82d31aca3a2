from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lsgm.models.score.resampling import build_resample


def fir_up_axis(x: Tensor) -> Tensor:
    """The formula of the module's docstring, along the last axis."""
    padded = torch.nn.functional.pad(x, (1, 1))
    before, after = padded[..., :-2], padded[..., 2:]
    return torch.stack([before / 4 + 3 * x / 4, 3 * x / 4 + after / 4], dim=-1).flatten(-2)


def fir_down_axis(x: Tensor) -> Tensor:
    padded = torch.nn.functional.pad(x, (1, 1))
    return (
        padded[..., :-2:2]
        + 3 * padded[..., 1:-1:2]
        + 3 * padded[..., 2::2][..., : x.shape[-1] // 2]
        + padded[..., 3::2]
    ) / 8


def both_axes(function, x: Tensor) -> Tensor:
    return function(function(x).transpose(-1, -2)).transpose(-1, -2)


@pytest.fixture
def image() -> Tensor:
    return torch.randn(2, 5, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("direction", "axis"), [("up", fir_up_axis), ("down", fir_down_axis)])
def test_fir_is_the_formula(image, direction, axis):
    torch.testing.assert_close(build_resample(direction, fir=True)(image), both_axes(axis, image), rtol=0, atol=1e-14)


def test_fir_of_one_pixel_written_out():
    pixel = torch.zeros(1, 1, 4, 4)
    pixel[0, 0, 1, 1] = 16.0
    up = build_resample("up", fir=True)(pixel)[0, 0]
    taps = torch.tensor([0, 1.0, 3, 3, 1, 0, 0, 0])
    assert torch.equal(up, torch.outer(taps, taps))
    down = build_resample("down", fir=True)(4 * pixel)[0, 0]
    assert torch.equal(down, torch.tensor([[9.0, 3.0], [3.0, 1.0]]))


def test_plain_is_repeat_and_mean(image):
    up = build_resample("up", fir=False)(image)
    assert torch.equal(up, image.repeat_interleave(2, -1).repeat_interleave(2, -2))
    torch.testing.assert_close(build_resample("down", fir=False)(up), image)


@pytest.mark.parametrize("fir", [True, False])
@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtype_is_kept_and_nothing_is_saved(fir, direction, dtype):
    layer = build_resample(direction, fir)
    assert layer(torch.ones(1, 2, 4, 4, dtype=dtype)).dtype == dtype
    assert not layer.state_dict()
    assert not list(layer.parameters())
