from __future__ import annotations

import pytest
import torch
from models.score.small_networks import CHANNELS, SIDE, VARIANTS, label, randomise, randomised
from torch import nn

from lsgm.config import ConfigError, PriorConfig
from lsgm.models.score import ScoreNetwork
from lsgm.models.score.attention import Attention

#: channels and side of the latent, F, widths, FIR, GroupNorms, attentions, parameters with C logits.
ROWS = {
    "cifar10": (180, 16, 512, (1, 1, 1), True, 125, 10, 375_561_064),
    "mnist": (40, 8, 256, (1, 1), False, 78, 1, 63_774_544),
    "omniglot": (60, 16, 256, (1, 1, 1), False, 125, 10, 97_804_152),
    "celebahq256 quantitative": (160, 32, 256, (1, 2, 2, 2), True, 163, 10, 408_367_680),
    "celebahq256 qualitative, stage 2": (200, 64, 256, (1, 1, 2, 2, 2), True, 201, 10, 440_116_368),
    "celebahq256 qualitative, stage 3": (200, 64, 320, (1, 1, 2, 2, 2), True, 201, 10, 680_827_984),
    "cifar10 small": (180, 16, 256, (1, 1, 1), True, 125, 10, 98_357_352),
}
TINY = PriorConfig(num_channels=8, channel_mult=(1, 2), num_cells_per_scale=1, embedding_dim=8)
WITH_ATTENTION = TINY.model_copy(update={"attention_resolutions": (8,)})


@pytest.mark.parametrize("row", ROWS)
def test_size_of_every_published_network(row):
    channels, side, width, mult, fir, norms, attentions, parameters = ROWS[row]
    with torch.device("meta"):
        network = ScoreNetwork(PriorConfig(num_channels=width, channel_mult=mult, fir=fir), channels, side)
    modules = list(network.modules())
    assert sum(weight.numel() for weight in network.parameters()) + channels == parameters
    assert sum(isinstance(module, nn.GroupNorm) for module in modules) == norms
    assert sum(isinstance(module, Attention) for module in modules) == attentions


@pytest.mark.parametrize("fir", [True, False])
def test_samples_of_a_batch_do_not_see_each_other(fir):
    network = ScoreNetwork(WITH_ATTENTION.model_copy(update={"fir": fir}), 3, 8).eval()
    randomise(network)
    z = torch.randn(3, 3, 8, 8, requires_grad=True)
    predicted = network(z, torch.tensor([0.1, 0.5, 0.9]))
    (gradient,) = torch.autograd.grad(predicted[1].square().sum(), z)
    assert not gradient[0].any()
    assert not gradient[2].any()
    assert gradient[1].abs().min() > 0


def test_prediction_depends_on_the_time():
    network = ScoreNetwork(TINY, 3, 8).eval()
    randomise(network)
    z = torch.randn(1, 3, 8, 8).expand(2, -1, -1, -1)
    predicted = network(z, torch.tensor([0.5, 0.51]))
    assert (predicted[0] - predicted[1]).abs().max() > 1e-3


def test_fresh_network_predicts_almost_zero():
    assert ScoreNetwork(TINY, 3, 8)(torch.randn(2, 3, 8, 8), torch.rand(2)).abs().max() < 1e-3


def test_autocast_stays_close_and_input_dtype_does_not_matter():
    network = ScoreNetwork(WITH_ATTENTION, 3, 8).eval()
    randomise(network)
    z, time = torch.randn(2, 3, 8, 8), torch.tensor([0.3, 0.6])
    exact = network(z, time)
    torch.testing.assert_close(network(z.double(), time.double()), exact, rtol=0, atol=1e-3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = network(z, time)
    assert rough.dtype == torch.bfloat16
    assert (rough - exact).abs().max() < 0.1 * exact.abs().max()


def test_side_that_cannot_be_halved_is_an_input_error():
    with pytest.raises(ConfigError, match=r"prior.channel_mult has 2 levels.*multiple of 2, not 7"):
        ScoreNetwork(TINY, 3, 7)


@pytest.mark.parametrize(("allocate", "assign"), [(True, False), (True, True), (False, True)])
@pytest.mark.parametrize("config", [config for config in VARIANTS if config.fir], ids=label)
def test_filters_are_right_in_a_network_that_was_built_without_memory(config, allocate, assign):
    saved = randomised(config)
    with torch.device("meta"):
        loaded = ScoreNetwork(config, CHANNELS, SIDE).double().eval()
    if allocate:
        loaded.to_empty(device="cpu")
        for buffer in loaded.buffers():
            buffer.fill_(torch.nan)
    loaded.load_state_dict(saved.state_dict(), assign=assign)
    z = torch.randn(2, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(3)).double()
    time = torch.tensor([0.1, 0.9]).double()
    assert torch.equal(loaded(z, time), saved(z, time))
