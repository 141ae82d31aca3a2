"""The VAE of a model in pixel space: intensities come back, noise is uniform, and bounds are those in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from toy_gaussian import GaussianPrior, sde_named

from lsgm.config import ConfigError, DataConfig, ExperimentConfig, NelboConfig, PriorConfig, VaeConfig
from lsgm.data.transforms import to_model_input
from lsgm.evaluation import evaluate_nelbo, importance_weighted_bound, posterior_noise
from lsgm.models import Lsgm, PixelVae, build_lsgm, build_output, build_vae, load_model, parameter_counts, save_model
from lsgm.randomness import normal

BITS = [1, 3, 5, 8]
SHAPE = (2, 2, 2)
SIZE = math.prod(SHAPE)


def pixel_vae(num_bits: int, shape: tuple[int, int, int] = SHAPE) -> PixelVae:
    return PixelVae(VaeConfig(arch="pixels"), shape, build_output("intensity", num_bits)).eval()


def settings(is_vae: bool = True, num_bits: int = 8, **nelbo: object) -> ExperimentConfig:
    config = ExperimentConfig(
        name="pixels_vae" if is_vae else "pixels",
        backbone=None if is_vae else "pixels_vae",
        data=DataConfig(name="patches", num_bits=num_bits),
        vae=VaeConfig(arch="pixels"),
        prior=PriorConfig(
            num_channels=8, channel_mult=(1, 1), num_cells_per_scale=1, embedding_dim=8, mixed_score=False
        ),
        train={"train_vae": False},
    )
    evaluate = config.evaluate.model_copy(update={"nelbo": NelboConfig(**nelbo)})
    return config.model_copy(update={"evaluate": evaluate})


def raw_images(count: int, shape: tuple[int, int, int] = SHAPE) -> Tensor:
    return torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)


def latents_of(config: ExperimentConfig, images: Tensor, seed: int) -> Tensor:
    """The draws that an evaluation makes."""
    vae = build_vae(config, tuple(images.shape[1:]))
    noises = posterior_noise(vae.latent_shapes, range(len(images)), seed, 0, torch.device("cpu"))
    return vae.encode(to_model_input(images, config.data), noises).latents[0].double()


def lower_edges(images: Tensor, num_bits: int) -> Tensor:
    return 2 * (images >> (8 - num_bits)).double() / 2**num_bits - 1


@pytest.mark.parametrize("num_bits", BITS)
def test_every_intensity_comes_back_bit_by_bit_whatever_the_noise(num_bits):
    raw = torch.arange(256, dtype=torch.uint8).view(-1, 1, 1, 1)
    x = to_model_input(raw, DataConfig(name="patches", num_bits=num_bits))
    assert len(x.unique()) == 2**num_bits
    vae = pixel_vae(num_bits, (1, 1, 1))
    noises = [*(torch.full_like(x, value) for value in (-torch.inf, -40.0, -4.3, 0.0, 4.3, 40.0, torch.inf))]
    for noise in [*noises, *(normal(x.shape, 1, "noise", index) for index in range(40))]:
        output = vae(x, [noise])
        (latent,) = output.latents
        assert latent.dtype == torch.float32 and latent.abs().max() < 1
        place = (latent.double() - lower_edges(raw, num_bits)) * 2 ** (num_bits - 1)
        assert place.min() > 0 and place.max() < 1, "strictly inside its bin"
        assert torch.equal(vae.output.mean(vae.decode(output.latents)), x)
        assert torch.equal(vae.reconstruction(output.params, x), torch.zeros(256))


@pytest.mark.parametrize("num_bits", BITS)
def test_noise_is_uniform_within_the_bin_with_the_density_that_log_q_says(num_bits):
    count = 4000
    vae, x = pixel_vae(num_bits, (1, 1, 1)), torch.full((count, 1, 1, 1), 1.0)
    encoding = vae.encode(x, [normal((count, 1, 1, 1), 1, "noise")])
    width = 2 / 2**num_bits
    torch.testing.assert_close(encoding.log_q[0].exp() * width, torch.ones(count, 1, 1, 1))
    place = ((encoding.latents[0].flatten() - (1 - width)) / width).sort().values
    distance = (place - (torch.arange(count) + 0.5) / count).abs().max().item()
    assert distance < 1.63 / math.sqrt(count), "Kolmogorov and Smirnov, 1 %"


def test_it_offers_what_a_vae_offers_and_has_no_weights(tmp_path):
    config = settings(is_vae=False)
    model = build_lsgm(config, (3, 8, 8))
    vae = model.vae
    assert isinstance(vae, PixelVae)
    assert vae.latent_shapes == [(3, 8, 8)]
    assert (vae.prior_shape, vae.num_prior_groups, vae.image_shape) == ((3, 8, 8), 1, (3, 8, 8))
    assert vae.state_dict() == {} and not list(vae.parameters())
    assert model.prior.shape == (3, 8, 8)
    latent = torch.randn(2, 3, 8, 8)
    assert torch.equal(vae.join([latent]), latent) and torch.equal(vae.split(latent)[0], latent)
    counts = parameter_counts(config, (3, 8, 8))
    assert counts["vae"] == 0 and counts["prior"] == counts["total"] > 0
    assert parameter_counts(settings(), (3, 8, 8)) == {"vae": 0, "total": 0}


@pytest.mark.parametrize("is_vae", [True, False], ids=["alone", "with a prior"])
def test_its_files_are_written_and_read_back(tmp_path, is_vae):
    config, path = settings(is_vae), tmp_path / "model.safetensors"
    model = build_lsgm(config, (3, 8, 8), seed=4)
    save_model(path, model, config, (3, 8, 8))
    loaded = load_model(path, config, image_shape=(3, 8, 8))
    assert loaded.config == config and isinstance(loaded.model.vae, PixelVae)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.model.state_dict().items())
    assert loaded.model.state_dict().keys() == model.state_dict().keys()


def test_a_file_of_another_kind_of_vae_is_refused(tmp_path):
    config, path = settings(), tmp_path / "model.safetensors"
    save_model(path, build_lsgm(config, (3, 8, 8)), config, (3, 8, 8))
    nvae = VaeConfig(num_channels=4, num_groups_per_scale=1)
    with pytest.raises(ConfigError, match=r'vae\.arch = "pixels", but pixels_vae asks for "res_bnswish"'):
        load_model(path, config.model_copy(update={"vae": nvae}))
    other = config.model_copy(update={"vae": nvae})
    save_model(path, build_lsgm(other, (3, 8, 8)), other, (3, 8, 8))
    with pytest.raises(ConfigError, match=r'vae\.arch = "res_bnswish", but pixels_vae asks for "pixels"'):
        load_model(path, config)


def test_the_bound_of_pixels_under_a_normal_prior_is_the_integral():
    """With two bits, -E log N(z; 0, 1) over each bin differs much from its value at the bin's middle."""
    images, config = raw_images(3000), settings(num_bits=2, batch_size=1000)
    result = evaluate_nelbo(Lsgm(build_vae(config, SHAPE)), images, config, seed=1, device="cpu")
    low = lower_edges(images, 2)
    high = low + 0.5
    energy = (low**2 + low * high + high**2) / 6 + 0.5 * math.log(2 * math.pi)
    expected = (energy + math.log(2)).flatten(1).sum(dim=1)
    error = result.per_image - expected
    assert error.abs().max() > 0.1, "draws differ"
    assert error.mean().abs() < 4 * error.std() / math.sqrt(len(images))
    assert error.std() < 0.4
    assert result.reconstruction == 0 and math.copysign(1, result.reconstruction) == 1
    assert result.negative_entropy == pytest.approx(SIZE * math.log(2), rel=1e-6)


def test_many_draws_reach_the_probability_of_the_bins():
    """p(x) is the mass of the prior in the bins of x. Not for the outermost, which are open: they hold more."""
    images = 64 + raw_images(20, (1, 1, 2)) % 128  # intensities 1 and 2 of 0 to 3
    config = settings(num_bits=2, batch_size=2000, num_iw_samples=2000)
    model = Lsgm(build_vae(config, (1, 1, 2)))
    found = importance_weighted_bound(model, images, config, seed=1, device="cpu")
    low = lower_edges(images, 2)
    mass = torch.special.ndtr(low + 0.5) - torch.special.ndtr(low)
    expected = -mass.log().flatten(1).sum(dim=1)
    torch.testing.assert_close(found.per_image, expected, rtol=0, atol=0.01)
    bound = evaluate_nelbo(model, images, config, seed=1, device="cpu")
    assert bound.mean_nats > expected.mean()


@pytest.mark.parametrize("name", ["vpsde", "geometric"])
def test_the_bound_under_a_gaussian_prior_is_that_in_closed_form(name):
    """By the ODE, as every score-based model is evaluated: image by image, and on average over the noise."""
    images, seed, time_end = raw_images(600), 1, 1e-4
    config = settings(num_bits=3, num_steps=150, time_end=time_end, batch_size=600)
    mean, deviation = 0.3 * normal((1, *SHAPE), 1, "mean"), normal((1, *SHAPE), 1, "deviation")
    prior = GaussianPrior(sde_named(name), mean.double(), 0.2 + deviation.double().square())
    result = evaluate_nelbo(Lsgm(build_vae(config, SHAPE), prior), images, config, seed=seed, device="cpu")
    entropy = SIZE * 2 * math.log(2)
    expected = entropy - prior.log_prob(latents_of(config, images, seed), time_end)
    torch.testing.assert_close(result.per_image, expected, rtol=0, atol=2e-4)
    # The flow is affine: the density that it gives is Gaussian, and its mean over a bin an integral of a square.
    (_, variance_one), (_, variance_end) = prior.marginal(1.0), prior.marginal(time_end)
    location = prior.flow(torch.zeros(1, *SHAPE).double(), 1.0, time_end)
    variance = prior.sde.base_variance * variance_end / variance_one
    low = lower_edges(images, 3) - location
    high = low + 0.25
    energy = (low**2 + low * high + high**2) / (6 * variance) + 0.5 * torch.log(2 * math.pi * variance)
    error = result.per_image - entropy - energy.flatten(1).sum(dim=1)
    assert error.mean().abs() < 4 * error.std() / math.sqrt(len(images))
    assert 0.001 < error.std() < 5


def test_a_network_in_bfloat16_changes_nothing_about_the_pixels():
    x = to_model_input(raw_images(4), DataConfig(name="patches"))
    noise, vae = normal(x.shape, 1, "noise"), pixel_vae(8)
    with torch.autocast("cpu", torch.bfloat16):
        found = vae(x, [noise])
    assert torch.equal(found.latents[0], vae(x, [noise]).latents[0])
    assert found.latents[0].dtype == torch.float32
