"""Whole networks of every kind against the formulas of the text, written a second time, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from models.nvae.nvae_written_out import WrittenOut
from torch import Tensor

from lsgm.compat.official.vae_names import official_state
from lsgm.config import VaeConfig
from lsgm.models.nvae import NVAE
from lsgm.models.outputs import build_output
from lsgm.objective import nelbo

THREE_SCALES = VaeConfig(
    arch="res_mbconv",
    num_channels=6,
    num_channels_decoder=5,
    channel_mult=(1, 1, 2, 3),
    num_pre_post_cells=2,
    num_post_cells=3,
    num_latent_scales=3,
    num_groups_per_scale=2,
    num_latent_per_group=3,
    num_cells_per_group=2,
    num_cells_per_group_decoder=1,
    num_flows=2,
    progressive_input="input_skip",
    log_sigma_limit=3.0,
    output="discretised_logistic",
)
CONFIGS = {
    "mbconv, three scales": THREE_SCALES,
    "bnswish, two scales": THREE_SCALES.model_copy(
        update={"arch": "res_bnswish", "num_latent_scales": 2, "num_preprocess_blocks": 2, "use_se": False}
        | {"num_channels_decoder": 7, "num_groups_per_scale": 3, "num_pre_post_cells": 1, "num_flows": 1}
    ),
    "bnswish, without progressive input": THREE_SCALES.model_copy(
        update={"arch": "res_bnswish", "progressive_input": "none", "num_channels_decoder": None}
    ),
}


def _random_model(config: VaeConfig) -> NVAE:
    """Every weight and statistic away from its initial value."""
    generator = torch.Generator().manual_seed(0)
    model = NVAE(config, (3, 16, 16), build_output(config.output)).double()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_((0.3 * torch.randn(tensor.shape, generator=generator)).exp())
            elif tensor.is_floating_point():
                tensor.copy_(0.4 * torch.randn(tensor.shape, generator=generator) + 0.1)
    return model


def _inputs(model: NVAE) -> tuple[Tensor, list[Tensor]]:
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(2, *model.image_shape, generator=generator, dtype=torch.float64) * 2 - 1
    shapes = model.latent_shapes
    return x, [torch.randn(2, *shape, generator=generator, dtype=torch.float64) for shape in shapes]


def _assert_close(values: list[Tensor], expected: list[Tensor]) -> None:
    for value, wanted in zip(values, expected, strict=True):
        torch.testing.assert_close(value, wanted, rtol=1e-10, atol=1e-10 * wanted.abs().max().item())


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_network_computes_what_the_text_says(config: VaeConfig, training: bool) -> None:
    model = _random_model(config).train(training)
    x, noises = _inputs(model)
    written_out = WrittenOut(official_state(model.state_dict(), config), config, batch_statistics=training)
    latents, log_q, params = written_out(x, noises)
    with torch.no_grad():
        result = model(x, noises)
        _assert_close(result.latents, latents)
        _assert_close(result.log_q, log_q)
        _assert_close([result.params, model.decode(noises)], [params, written_out.decode(noises)])


def test_only_the_groups_of_the_coarsest_scale_have_the_score_based_prior() -> None:
    """Method 6: u_g is the g-th chunk of the cross entropy there, and -log N(eps_g; 0, I) at finer scales."""
    model = _random_model(THREE_SCALES).eval()
    x, noises = _inputs(model)
    terms = torch.rand(2, *model.prior_shape, dtype=torch.float64)
    with torch.no_grad():
        result = model(x, noises)
        kl = nelbo(model, result, x, terms).kl
    energies = [terms[:, :3], terms[:, 3:]]
    energies += [0.5 * latent.square() + 0.5 * math.log(2 * math.pi) for latent in result.latents[2:]]
    expected = [(q + u).sum(dim=(1, 2, 3)) for q, u in zip(result.log_q, energies, strict=True)]
    torch.testing.assert_close(kl, torch.stack(expected, dim=1))
    assert torch.equal(model.join(result.latents), torch.cat(result.latents[:2], dim=1))
