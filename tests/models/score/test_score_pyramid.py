from __future__ import annotations

import math

import pytest
import torch
from models.score.small_networks import CHANNELS, SIDE, TINY, VARIANTS, label, randomised
from torch import Tensor
from torch.nn import functional as F

from lsgm.config import ConfigError, PriorConfig
from lsgm.models.score import ScoreNetwork
from lsgm.models.score.resampling import build_resample

ON = ("input_skip", "residual", "output_skip")
every_variant = pytest.mark.parametrize("config", VARIANTS, ids=label)


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, CHANNELS, SIDE, SIDE, dtype=torch.float64, generator=generator), torch.tensor([0.3, 0.8])


def written_out(network: ScoreNetwork, config: PriorConfig, z: Tensor, time: Tensor) -> Tensor:
    """The network of two levels with one block each, step by step."""
    down, up, embedding = network.down, network.up, network.embedding(time)

    def read(step, h: Tensor) -> Tensor:
        return F.conv2d(F.silu(step.norm(h)), step.conv.weight, step.conv.bias, padding=1)

    first = network.conv_in(z)
    fine = down[0].blocks[0](first, embedding)
    coarse = down[0].resample(fine, embedding)
    if config.progressive_input == "input_skip":
        layer = down[0].pyramid_step.conv
        projected = F.conv2d(build_resample("down", config.fir).to(z.dtype)(z), layer.weight, layer.bias)
        is_sum = config.progressive_combine == "sum"
        coarse = projected + coarse if is_sum else torch.cat([projected, coarse], dim=1)
    elif config.progressive_input == "residual":
        coarse = (down[0].pyramid_step.resample(z) + coarse) / math.sqrt(2)
    last = down[1].attentions[0](down[1].blocks[0](coarse, embedding))
    h = network.middle_out(network.middle_attention(network.middle_in(last, embedding)), embedding)
    h = up[0].blocks[0](torch.cat([h, last], dim=1), embedding)
    h = up[0].attention(up[0].blocks[1](torch.cat([h, coarse], dim=1), embedding))
    pyramid = None if config.progressive == "none" else read(up[0].pyramid_step, h)
    h = up[0].resample(h, embedding)
    h = up[1].blocks[0](torch.cat([h, fine], dim=1), embedding)
    h = up[1].blocks[1](torch.cat([h, first], dim=1), embedding)
    if config.progressive == "output_skip":
        return build_resample("up", config.fir).to(z.dtype)(pyramid) + read(up[1].pyramid_step, h)
    if config.progressive == "residual":
        h = (up[1].pyramid_step.resample(pyramid) + h) / math.sqrt(2)
    return network.conv_out(F.silu(network.norm_out(h)))


@every_variant
def test_network_is_the_steps_written_out(config, batch):
    network = randomised(config)
    torch.testing.assert_close(network(*batch), written_out(network, config, *batch), rtol=1e-12, atol=1e-12)


@every_variant
def test_every_weight_has_a_gradient(config, batch):
    network = randomised(config)
    predicted = network(*batch)
    assert predicted.shape == batch[0].shape
    predicted.square().sum().backward()
    for name, weight in network.named_parameters():
        # A bias on all keys changes no softmax.
        assert weight.grad.any() or name.endswith("key.bias"), name


@pytest.mark.parametrize("fir", [True, False])
@pytest.mark.parametrize(("down", "up"), [("input_skip", "output_skip"), ("residual", "residual")])
def test_three_levels_of_different_width(down, up, fir):
    changes = {"channel_mult": (1, 3, 2), "progressive_input": down, "progressive": up, "fir": fir}
    network = ScoreNetwork(TINY.model_copy(update=changes), CHANNELS, SIDE)
    predicted = network(torch.randn(2, CHANNELS, SIDE, SIDE), torch.rand(2))
    assert predicted.shape == (2, CHANNELS, SIDE, SIDE)
    predicted.sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


@pytest.mark.parametrize("fir", [True, False])
def test_input_skip_with_zero_projections_is_no_input_skip(batch, fir):
    plain = randomised(TINY.model_copy(update={"fir": fir}))
    network = randomised(TINY.model_copy(update={"fir": fir, "progressive_input": "input_skip"}))
    network.load_state_dict(plain.state_dict(), strict=False)
    assert not torch.equal(network(*batch), plain(*batch))
    torch.nn.init.zeros_(network.down[0].pyramid_step.conv.weight)
    torch.nn.init.zeros_(network.down[0].pyramid_step.conv.bias)
    assert torch.equal(network(*batch), plain(*batch))


@pytest.mark.parametrize("fir", [True, False])
def test_output_skip_is_the_sum_of_the_readings_of_all_levels(batch, fir):
    plain = randomised(TINY.model_copy(update={"fir": fir}))
    network = randomised(TINY.model_copy(update={"fir": fir, "progressive": "output_skip"}))
    network.load_state_dict(plain.state_dict() | own_steps(network), strict=False)
    coarse, fine = (level.pyramid_step for level in network.up)
    plain.norm_out.load_state_dict(fine.norm.state_dict())
    plain.conv_out.load_state_dict(fine.conv.state_dict())
    readings = []
    coarse.conv.register_forward_hook(lambda module, inputs, output: readings.append(output))
    upsampled = build_resample("up", fir).to(torch.float64)

    whole = network(*batch)
    torch.testing.assert_close(whole, upsampled(readings[0]) + plain(*batch), rtol=0, atol=1e-12)
    silence(fine.conv)
    torch.testing.assert_close(network(*batch), upsampled(readings[0]), rtol=0, atol=0)
    fine.conv.load_state_dict(plain.conv_out.state_dict())
    silence(coarse.conv)
    torch.testing.assert_close(network(*batch), plain(*batch), rtol=0, atol=0)


def own_steps(network: ScoreNetwork) -> dict[str, Tensor]:
    return {name: value for name, value in network.state_dict().items() if "pyramid_step" in name}


def silence(layer: torch.nn.Conv2d) -> None:
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)


def test_output_residual_with_a_silent_pyramid_only_scales_what_the_last_norm_sees(batch):
    plain = randomised(TINY)
    network = randomised(TINY.model_copy(update={"progressive": "residual"}))
    network.load_state_dict(plain.state_dict(), strict=False)
    silence(network.up[1].pyramid_step.resample.conv)
    # Group normalisation forgets the factor 1 / sqrt 2, but for its epsilon.
    torch.testing.assert_close(network(*batch), plain(*batch), rtol=0, atol=1e-4)
    assert not torch.equal(network(*batch), plain(*batch))


@every_variant
def test_autocast_stays_close_and_input_dtype_does_not_matter(config, batch):
    network = randomised(config, torch.float32)
    z, time = batch[0].float(), batch[1]
    exact = network(z, time)
    assert exact.dtype == torch.float32
    assert torch.equal(network(z.double(), time), exact)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = network(z, time)
    assert rough.dtype == torch.bfloat16
    assert (rough - exact).abs().max() < 0.1 * exact.abs().max()


@every_variant
def test_without_a_pyramid_there_is_no_tensor_of_one(config):
    names = ScoreNetwork(config, CHANNELS, SIDE).state_dict()
    assert any("down.0.pyramid_step" in name for name in names) == (config.progressive_input in ON)
    assert any("up.0.pyramid_step" in name for name in names) == (config.progressive in ON)
    assert ("conv_out.weight" in names) == (config.progressive != "output_skip")


def test_fresh_output_skip_predicts_almost_zero(batch):
    network = ScoreNetwork(TINY.model_copy(update={"progressive": "output_skip"}), CHANNELS, SIDE)
    assert network(batch[0].float(), batch[1]).abs().max() < 1e-3


def test_fresh_output_residual_starts_at_full_size():
    start = ScoreNetwork(TINY.model_copy(update={"progressive": "residual"}), CHANNELS, SIDE).up[0].pyramid_step
    # V(1) for 16 channels on both sides: variance 1 / (9 * 16).
    assert start.conv.weight.var().item() == pytest.approx(1 / 144, rel=0.1)


@pytest.mark.parametrize(("key", "value"), [("progressive", "residual"), ("progressive_input", "input_skip")])
def test_pyramid_of_one_level_is_an_input_error(key, value):
    config = TINY.model_copy(update={"channel_mult": (1,), key: value})
    with pytest.raises(ConfigError, match=rf"prior.{key} is {value}.*channel_mult has only one; take at least two"):
        ScoreNetwork(config, CHANNELS, SIDE)


def test_concatenation_that_groups_do_not_divide_is_an_input_error():
    changes = {"num_channels": 48, "channel_mult": (1, 1), "progressive_input": "input_skip"}
    ScoreNetwork(TINY.model_copy(update=changes), CHANNELS, SIDE)
    with pytest.raises(ConfigError, match=r"144 channels, which 32 .* multiple of 32"):
        ScoreNetwork(TINY.model_copy(update=changes | {"progressive_combine": "cat"}), CHANNELS, SIDE)
