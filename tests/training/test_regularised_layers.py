"""Which layers the regulariser R counts, in the networks of the official commands."""

from __future__ import annotations

import pytest
import torch
from models.small_models import IMAGE_SHAPE
from torch import nn
from training.small_run import run_config

from lsgm.models import build_prior, build_vae
from lsgm.models.nvae.flows import AutoregressiveShift
from lsgm.models.score.conv_resampling import ConvDown, ConvUp
from lsgm.training.spectral import Regulariser


def test_flows_count_with_the_masked_and_normalised_weight():
    config = run_config()
    config = config.model_copy(update={"vae": config.vae.model_copy(update={"num_flows": 2})})
    vae = build_vae(config, IMAGE_SHAPE).double().train()
    flows = [module for module in vae.modules() if isinstance(module, AutoregressiveShift)]
    assert len(flows) == 8
    for flow in flows:
        network = nn.Sequential(flow)
        for layer in (flow.conv_in, flow.depthwise, flow.conv_out):
            # What the mask hides must not count.
            layer.weight.data[layer.mask.expand_as(layer.weight) == 0] = 100.0
        regulariser = Regulariser(network, 1.0, True, 0, "test")
        for _ in range(100):
            terms = regulariser.terms()
        expected = sum(exact_norm(layer) for layer in (flow.conv_in, flow.depthwise, flow.conv_out))
        assert terms.spectral.item() == pytest.approx(expected, rel=1e-6)
    latent = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    flows[0](latent)
    assert flows[0].conv_in.last_weight is not None


def exact_norm(layer: nn.Module) -> float:
    masked = layer.weight.detach() * layer.mask
    norm = masked.flatten(1).norm(dim=1)
    weight = masked.flatten(1) / (norm + 1e-5)[:, None] * layer.log_norm.detach().exp().flatten()[:, None]
    return torch.linalg.svdvals(weight)[0].item()


@pytest.mark.parametrize("fir", [True, False])
@pytest.mark.parametrize("pyramid", ["progressive", "progressive_input"])
def test_convolutions_that_resample_count_unless_the_published_regulariser_is_asked_for(pyramid, fir):
    """The published code leaves out those with FIR filters, which are of another class there."""
    config = run_config()
    sizes = {"channel_mult": (1, 1), "fir": fir, pyramid: "residual"}
    prior = build_prior(config.model_copy(update={"prior": config.prior.model_copy(update=sizes)}), (3, 4, 4))
    convolutions = sum(isinstance(module, nn.Conv2d) for module in prior.modules())
    resampling = sum(isinstance(module, (ConvDown, ConvUp)) for module in prior.modules())
    assert resampling > 0

    def counted(official: bool) -> int:
        regulariser = Regulariser(prior, 1.0, True, 0, "test", official)
        return sum(len(group) for group in regulariser.spectral.left.values())

    assert counted(False) == convolutions
    assert counted(True) == convolutions - (resampling if fir else 0)
