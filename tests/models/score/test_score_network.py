from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
import torch
from models.official_score_names import from_official, official_names
from torch import nn

from lsgm.config import ConfigError, PriorConfig
from lsgm.models.score import ScoreNetwork
from lsgm.models.score.attention import Attention

# architecture 2: channels and side of the latent, F, widths, FIR, GroupNorms, attentions, parameters with C logits.
ROWS = {
    "cifar10": (180, 16, 512, (1, 1, 1), True, 125, 10, 375_561_064),
    "mnist": (40, 8, 256, (1, 1), False, 78, 1, 63_774_544),
    "omniglot": (60, 16, 256, (1, 1, 1), False, 125, 10, 97_804_152),
    "celebahq256 quantitative": (160, 32, 256, (1, 2, 2, 2), True, 163, 10, 408_367_680),
    "celebahq256 qualitative, stage 2": (200, 64, 256, (1, 1, 2, 2, 2), True, 201, 10, 440_116_368),
    "celebahq256 qualitative, stage 3": (200, 64, 320, (1, 1, 2, 2, 2), True, 201, 10, 680_827_984),
    "cifar10 small": (180, 16, 256, (1, 1, 1), True, 125, 10, 98_357_352),
}
PUBLISHED = ["mnist", "omniglot", "cifar10_balanced", "cifar10_bestnll", "celeba256_quant", "celeba256_qual",
             "celeba256_qual_stage3"]  # fmt: skip
LEVELS = {2: (1, 1), 3: (1, 1, 1), 4: (1, 2, 2, 2), 5: (1, 1, 2, 2, 2)}
TINY = PriorConfig(num_channels=8, channel_mult=(1, 2), num_cells_per_scale=1, embedding_dim=8)
WITH_ATTENTION = TINY.model_copy(update={"attention_resolutions": (8,)})


def randomise(module: nn.Module) -> None:
    """Give every weight a size at which it matters; fresh networks give almost zero."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():
            scale = weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.5
            weight.copy_(scale * torch.randn(weight.shape, generator=generator))


def published_prior(arguments: dict) -> PriorConfig:
    return PriorConfig(
        num_channels=arguments["num_channels_dae"],
        channel_mult=LEVELS[arguments["num_scales_dae"]],
        num_cells_per_scale=arguments["num_cell_per_scale_dae"],
        fir=arguments["fir"],
        embedding_dim=arguments["embedding_dim"],
        embedding_scale=arguments["embedding_scale"],
    )


@pytest.mark.parametrize("row", ROWS)
def test_size_of_every_published_network(row):
    channels, side, width, mult, fir, norms, attentions, parameters = ROWS[row]
    with torch.device("meta"):
        network = ScoreNetwork(PriorConfig(num_channels=width, channel_mult=mult, fir=fir), channels, side)
    modules = list(network.modules())
    assert sum(weight.numel() for weight in network.parameters()) + channels == parameters
    assert sum(isinstance(module, nn.GroupNorm) for module in modules) == norms
    assert sum(isinstance(module, Attention) for module in modules) == attentions


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_names_shapes_and_regularised_layers(reference, name):
    record = json.loads((reference / "f_full_params.json").read_text())["configs"][name]
    shapes = dict(record["sgm"]["params"])
    channels = shapes.pop("mixing_logit")[1]
    with torch.device("meta"):
        network = ScoreNetwork(published_prior(record["vada_args"]), channels, record["dae_input_size"])
        tensors = {key: torch.empty(shape) for key, shape in shapes.items()}
    mapped = from_official(network, tensors)
    expected = network.state_dict()
    assert mapped.keys() == expected.keys()
    assert all(mapped[key].shape == expected[key].shape for key in expected)
    modules = list(network.modules())
    counts = record["spectral_reg"]
    convolutions = sum(isinstance(module, nn.Conv2d) for module in modules)
    assert convolutions == counts["sgm_conv_layers"] or record["vada_args"]["custom_conv_dae"]
    assert sum(isinstance(module, nn.GroupNorm) for module in modules) == counts["sgm_norm_layers"]


@pytest.mark.parametrize("name", ["f_mnist", "f_cifar10"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_forward_and_gradient_of_published_networks(reference, name, dtype):
    arrays = np.load(reference / f"{name}.npz")
    arguments = json.loads((reference / f"{name}.json").read_text())["config"]["vada_args"]
    tensors = torch.load(reference / f"{name}_sgm_state.pt", weights_only=True)
    del tensors["mixing_logit"]
    z, time, noise = (torch.tensor(arrays[f"sgm/{key}"], dtype=dtype) for key in ("z_t", "t", "vjp_noise"))
    network = ScoreNetwork(published_prior(arguments), z.shape[1], z.shape[2]).to(dtype).eval()
    network.load_state_dict(from_official(network, tensors))
    z.requires_grad_()
    predicted = network(z, time)
    (gradient,) = torch.autograd.grad((noise * predicted).sum(), z)
    found = {"eps_out": predicted, "vjp": gradient, "out_t0dim": network(z, time[0])}
    for key, value in found.items():
        expected = torch.tensor(arrays[f"sgm/{key}__f64"], dtype=dtype)
        tolerance = (1e-9 if dtype == torch.float64 else 1e-5) * expected.abs().max().item()
        torch.testing.assert_close(value.detach(), expected, rtol=0, atol=tolerance)


def test_full_width_mnist_network(reference):
    record = json.loads((reference / "f_full_params.json").read_text())["configs"]["mnist"]
    arrays = np.load(reference / "f_full_mnist.npz")
    shapes = {key: shape for key, shape in record["sgm"]["params"].items() if key != "mixing_logit"}
    with torch.device("meta"):
        network = ScoreNetwork(published_prior(record["vada_args"]), 40, 8).eval()
    tensors = {key: torch.from_numpy(recipe(key, shape)) for key, shape in shapes.items()}
    network.load_state_dict(from_official(network, tensors), assign=True)
    z, time = (torch.from_numpy(arrays[f"sgm/{key}"]) for key in ("z_t", "t"))
    with torch.no_grad():
        predicted = network(z, time)
    expected = torch.from_numpy(arrays["sgm/eps_out__f64"]).float()
    torch.testing.assert_close(predicted, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def recipe(name: str, shape: list[int]) -> np.ndarray:
    """Weights of the full-width reference, which has no weight file: see `recipe` in its json."""
    draws = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if len(shape) == 1:
        draws = 1 + 0.2 * draws if name.endswith("weight") else 0.1 * draws
    else:
        draws /= np.sqrt(shape[0] if name.endswith(".W") else np.prod(shape[1:]))
    return draws.astype(np.float32)


def test_official_names_are_unique():
    names = official_names(ScoreNetwork(WITH_ATTENTION, 3, 8))
    assert len(set(names.values())) == len(names)
    with pytest.raises(KeyError, match="not consumed"):
        from_official(ScoreNetwork(TINY, 3, 8), {"all_modules.99.weight": torch.ones(1)})


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
