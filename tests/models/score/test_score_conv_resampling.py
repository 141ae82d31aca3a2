from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lsgm.models.score.conv_resampling import ConvDown, ConvUp
from lsgm.models.score.resampling import build_resample

FIR = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])).double() / 64


@pytest.fixture
def image() -> Tensor:
    return torch.randn(2, 5, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def randomised(layer: nn.Module) -> nn.Module:
    layer.double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
    return layer


def surrounded(x: Tensor, before: int, after: int) -> Tensor:
    """Zeros around the last two axes."""
    height, width = x.shape[2:]
    result = torch.zeros(*x.shape[:2], height + before + after, width + before + after, dtype=x.dtype)
    result[:, :, before : before + height, before : before + width] = x
    return result


def correlated(x: Tensor, weight: Tensor) -> Tensor:
    """Sum over taps and input channels, taps (out, in, k, k), no zeros outside."""
    size = weight.shape[-1]
    height, width = x.shape[2] - size + 1, x.shape[3] - size + 1
    return sum(
        torch.einsum("oi,bihw->bohw", weight[:, :, row, column], x[:, :, row : row + height, column : column + width])
        for row in range(size)
        for column in range(size)
    )


def filtered(x: Tensor, gain: float) -> Tensor:
    return correlated(x, gain * FIR * torch.eye(x.shape[1], dtype=x.dtype)[:, :, None, None])


def spread(x: Tensor) -> Tensor:
    """A zero between every two pixels."""
    result = torch.zeros(*x.shape[:2], 2 * x.shape[2] - 1, 2 * x.shape[3] - 1, dtype=x.dtype)
    result[:, :, ::2, ::2] = x
    return result


def test_filtered_halving_is_the_definition(image):
    layer = randomised(ConvDown(5, 7, fir=True))
    every = correlated(filtered(surrounded(image, 2, 2), gain=1), layer.conv.weight)
    expected = every[:, :, ::2, ::2] + layer.conv.bias[:, None, None]
    assert expected.shape == (2, 7, 3, 4)
    torch.testing.assert_close(layer(image), expected, rtol=1e-12, atol=1e-12)


def test_plain_halving_is_the_definition(image):
    layer = randomised(ConvDown(5, 7, fir=False))
    every = correlated(surrounded(image, 0, 1), layer.conv.weight)
    expected = every[:, :, ::2, ::2] + layer.conv.bias[:, None, None]
    assert expected.shape == (2, 7, 3, 4)
    torch.testing.assert_close(layer(image), expected, rtol=1e-12, atol=1e-12)


def test_filtered_doubling_is_the_definition(image):
    layer = randomised(ConvUp(5, 7, fir=True))
    coarse = correlated(surrounded(spread(image), 2, 2), layer.conv.weight)
    assert coarse.shape == (2, 7, 13, 17)
    expected = filtered(surrounded(coarse, 1, 1), gain=4) + layer.conv.bias[:, None, None]
    torch.testing.assert_close(layer(image), expected, rtol=1e-12, atol=1e-12)


def test_plain_doubling_is_the_definition(image):
    layer = randomised(ConvUp(5, 7, fir=False))
    repeated = image.repeat_interleave(2, -1).repeat_interleave(2, -2)
    expected = correlated(surrounded(repeated, 1, 1), layer.conv.weight) + layer.conv.bias[:, None, None]
    torch.testing.assert_close(layer(image), expected, rtol=1e-12, atol=1e-12)


def centred(layer: nn.Module) -> nn.Module:
    with torch.no_grad():
        layer.conv.weight.zero_()
        layer.conv.weight[:, :, 1, 1] = torch.eye(len(layer.conv.weight))
    return layer.double()


@pytest.mark.parametrize(
    ("build", "direction", "fir"), [(ConvDown, "down", True), (ConvUp, "up", True), (ConvUp, "up", False)]
)
def test_centred_weight_gives_the_resampling_without_convolution(image, build, direction, fir):
    expected = build_resample(direction, fir).double()(image)
    torch.testing.assert_close(centred(build(5, 5, fir))(image), expected, rtol=0, atol=1e-14)


def test_centred_weight_of_plain_halving_takes_the_lower_right_of_four_pixels(image):
    assert torch.equal(centred(ConvDown(5, 5, fir=False))(image), image[:, :, 1::2, 1::2])


@pytest.mark.parametrize("build", [ConvDown, ConvUp])
@pytest.mark.parametrize("fir", [True, False])
def test_dtype_and_saved_tensors(build, fir):
    layer = build(4, 6, fir)
    assert set(layer.state_dict()) == {"conv.weight", "conv.bias"}
    assert layer.conv.weight.shape == (6, 4, 3, 3)
    assert layer(torch.ones(1, 4, 4, 4)).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(torch.ones(1, 4, 4, 4)).dtype == torch.bfloat16
