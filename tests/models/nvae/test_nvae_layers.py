"""Layers of the VAE against formulas written out, and the structure of the flows."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lsgm.models.nvae.branches import BnSwishBranch, Resampling
from lsgm.models.nvae.cells import CELLS, ResidualCell
from lsgm.models.nvae.flows import AutoregressiveShift, flow_pairs
from lsgm.models.nvae.posterior import soft_clamp
from lsgm.models.nvae.skips import FactorisedReduce, UpsampleSkip
from lsgm.models.nvae.squeeze_excitation import SqueezeExcitation
from lsgm.models.nvae.weight_norm import WNConv2d


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_weight_norm_of_each_output_channel() -> None:
    conv = WNConv2d(4, 6, 3, groups=2).double()
    with torch.no_grad():
        conv.log_norm.normal_()
    norms = conv.normalised_weight().flatten(1).norm(dim=1)
    raw = conv.weight.flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, conv.log_norm.exp().flatten() * raw / (raw + 1e-5))
    directions = F.cosine_similarity(conv.normalised_weight().flatten(1), conv.weight.flatten(1))
    torch.testing.assert_close(directions, torch.ones(6, dtype=torch.float64))


def test_weight_norm_of_zero_weights_is_finite() -> None:
    conv = WNConv2d(2, 3, 3)
    torch.nn.init.zeros_(conv.weight)
    conv(torch.ones(1, 2, 4, 4)).sum().backward()
    assert conv.weight.grad.isfinite().all() and conv.log_norm.grad.isfinite().all()


@pytest.mark.parametrize(("kernel_size", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1)])
def test_convolution_pads_to_the_same_size(kernel_size: int, stride: int) -> None:
    assert WNConv2d(2, 3, kernel_size, stride)(torch.zeros(1, 2, 8, 8)).shape == (1, 3, 8 // stride, 8 // stride)


@pytest.mark.parametrize(("channels", "width"), [(8, 4), (64, 4), (128, 8), (250, 15)])
def test_squeeze_excitation_gates_channels_by_their_means(channels: int, width: int) -> None:
    layer = SqueezeExcitation(channels)
    assert layer.reduce.out_features == width
    x = torch.randn(2, channels, 4, 4)
    gate = torch.sigmoid(layer.expand(torch.relu(layer.reduce(x.mean(dim=(2, 3))))))
    torch.testing.assert_close(layer(x), x * gate[:, :, None, None])


def test_factorised_reduce_is_four_strided_convolutions_of_shifted_images() -> None:
    layer = FactorisedReduce(5, 11).double()
    x = torch.randn(2, 5, 6, 8, dtype=torch.float64)
    swish = x * x.sigmoid()
    shifted = (swish, swish[:, :, 1:, 1:], swish[:, :, :, 1:], swish[:, :, 1:, :])
    parts = [
        F.conv2d(image, conv.normalised_weight(), conv.bias, stride=2)
        for conv, image in zip(layer.convs, shifted, strict=True)
    ]
    assert [part.shape[1] for part in parts] == [2, 2, 2, 5]
    torch.testing.assert_close(layer(x), torch.cat(parts, dim=1))


def test_upsample_skip_interpolates_and_then_convolves() -> None:
    layer = UpsampleSkip(4, 3).double()
    x = torch.randn(2, 4, 5, 5, dtype=torch.float64)
    interpolated = F.interpolate(x, size=(10, 10), mode="bilinear", align_corners=True)
    torch.testing.assert_close(layer(x), F.conv2d(interpolated, layer.conv.normalised_weight()))


@pytest.mark.parametrize("arch", CELLS)
@pytest.mark.parametrize("part", ["encoder", "decoder", "postprocess"])
@pytest.mark.parametrize(("resampling", "side"), [(Resampling.NONE, 8), (Resampling.DOWN, 4), (Resampling.UP, 16)])
def test_cells_add_a_tenth_of_the_gated_branch(arch: str, part: str, resampling: Resampling, side: int) -> None:
    out_channels = 8 if resampling is Resampling.NONE else 12
    cell = ResidualCell(getattr(CELLS[arch], part), 8, out_channels, resampling).eval()
    x = torch.randn(2, 8, 8, 8)
    result = cell(x)
    assert result.shape == (2, out_channels, side, side)
    torch.testing.assert_close(result, cell.skip(x) + 0.1 * cell.se(cell.branch(x)))


def test_bn_swish_branch_written_out() -> None:
    branch = BnSwishBranch(4, 6, Resampling.UP).double()
    x = torch.randn(3, 4, 4, 4, dtype=torch.float64)

    def normalised(image: Tensor) -> Tensor:
        centred = image - image.mean(dim=(0, 2, 3), keepdim=True)
        return centred / (centred.square().mean(dim=(0, 2, 3), keepdim=True) + 1e-5).sqrt()

    def swish(image: Tensor) -> Tensor:
        return image * image.sigmoid()

    hidden = swish(normalised(x)).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    hidden = F.conv2d(hidden, branch.conv1.normalised_weight(), branch.conv1.bias, padding=1)
    expected = F.conv2d(swish(normalised(hidden)), branch.conv2.normalised_weight(), branch.conv2.bias, padding=1)
    torch.testing.assert_close(branch(x), expected)


def test_batch_norm_moves_its_statistics_by_a_twentieth() -> None:
    branch = BnSwishBranch(2, 2, Resampling.NONE)
    x = torch.randn(4, 2, 8, 8) + 3
    branch(x)
    torch.testing.assert_close(branch.norm1.running_mean, 0.05 * x.mean(dim=(0, 2, 3)))


def test_soft_clamp() -> None:
    x = torch.tensor([-1e6, -1e-3, 0.0, 1e-3, 1e6])
    torch.testing.assert_close(soft_clamp(x, 5.0), torch.tensor([-5, -1e-3, 0, 1e-3, 5]))


def _jacobian(flow: torch.nn.Module, channels: int, side: int) -> Tensor:
    """Jacobian with rows and columns ordered by pixel in raster order, then by channel."""
    z = torch.randn(side * side, channels, dtype=torch.float64)

    def by_pixel(values: Tensor) -> Tensor:
        image = values.view(side, side, channels).permute(2, 0, 1)[None]
        return flow(image)[0].permute(1, 2, 0).flatten()

    return torch.autograd.functional.jacobian(by_pixel, z.flatten())


def _random_flow(module: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module.double()


@pytest.mark.parametrize("mirror", [False, True])
def test_a_flow_has_a_triangular_jacobian_with_unit_diagonal(mirror: bool) -> None:
    channels, side = 3, 4
    jacobian = _jacobian(_random_flow(AutoregressiveShift(channels, mirror)), channels, side)
    blocks = jacobian.view(side * side, channels, side * side, channels)
    if mirror:
        blocks = blocks.flip(0, 2)
    ordered = blocks.reshape(jacobian.shape)
    torch.testing.assert_close(ordered.diagonal(), torch.ones(len(ordered), dtype=torch.float64))
    assert torch.equal(ordered.triu(1), torch.zeros_like(ordered))
    # It uses what it may see: every channel of the pixel before, and the lower channels of the same pixel.
    pixel = 6
    assert (blocks[pixel, :, pixel - 1, :] != 0).all()
    assert (blocks[pixel, :, pixel, :] != 0).equal(torch.ones(channels, channels).tril() != 0)


def test_flow_pairs_have_unit_determinant_and_start_near_the_identity() -> None:
    flows = flow_pairs(2, 2).double()
    z = torch.randn(1, 2, 4, 4, dtype=torch.float64)
    assert len(flows) == 4
    assert 1e-4 < (flows(z) - z).abs().max() < 1
    jacobian = _jacobian(_random_flow(flows), 2, 3)
    assert not torch.equal(jacobian, torch.eye(18, dtype=torch.float64))
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, torch.tensor(0.0, dtype=torch.float64))


@pytest.mark.parametrize(("allocate", "assign"), [(True, False), (True, True), (False, True)])
def test_masks_are_right_in_a_model_that_was_built_without_memory(allocate: bool, assign: bool) -> None:
    saved = _random_flow(flow_pairs(2, 1))
    with torch.device("meta"):
        loaded = flow_pairs(2, 1).double()
    if allocate:
        loaded.to_empty(device="cpu")
        for buffer in loaded.buffers():
            buffer.fill_(torch.nan)
    loaded.load_state_dict(saved.state_dict(), assign=assign)
    z = torch.randn(1, 2, 4, 4, dtype=torch.float64)
    assert torch.equal(loaded(z), saved(z))


def test_no_flows_is_the_identity() -> None:
    z = torch.randn(1, 2, 3, 3)
    assert flow_pairs(2, 0)(z) is z
