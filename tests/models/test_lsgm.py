from __future__ import annotations

import pytest
import torch
from models.small_models import IMAGE_SHAPE, small_config
from torch import nn

from lsgm.config import ConfigError, DataConfig, ExperimentConfig, PriorConfig, SdeConfig, VaeConfig
from lsgm.models import build_lsgm, build_prior, build_vae, parameter_counts

COLOUR = {"data": DataConfig(name="cifar10"), "vae": VaeConfig(num_channels=8, num_groups_per_scale=1)}


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return states[0].keys() == states[1].keys() and all(
        torch.equal(states[0][key], states[1][key]) for key in states[0]
    )


def test_padding_crop_and_latent_come_from_the_settings():
    model = build_lsgm(small_config(), IMAGE_SHAPE)
    assert model.vae.image_shape == (1, 8, 8)
    assert model.vae.crop == 1
    assert model.prior.shape == model.vae.prior_shape == (6, 4, 4)
    assert model.kind == "lsgm"


def test_backbone_has_no_prior():
    model = build_lsgm(small_config(is_vae=True), IMAGE_SHAPE)
    assert model.prior is None
    assert model.kind == "vae"
    assert all(name.startswith("vae.") for name in model.state_dict())


def test_same_seed_same_weights_and_parts_are_independent():
    config = small_config()
    first, again, other = (build_lsgm(config, IMAGE_SHAPE, seed) for seed in (3, 3, 4))
    assert same_weights(first, again)
    assert not same_weights(first.vae, other.vae)
    assert not same_weights(first.prior, other.prior)
    assert same_weights(first.vae, build_vae(small_config(is_vae=True), IMAGE_SHAPE, 3))
    assert same_weights(first.prior, build_prior(config, (6, 4, 4), 3))


def test_seed_defaults_to_that_of_the_settings():
    assert same_weights(build_lsgm(small_config(seed=7), IMAGE_SHAPE), build_lsgm(small_config(), IMAGE_SHAPE, 7))


def test_global_generator_is_neither_used_nor_moved():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = build_lsgm(small_config(), IMAGE_SHAPE)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert same_weights(first, build_lsgm(small_config(), IMAGE_SHAPE))


def test_global_generator_is_put_back_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(ConfigError):
        build_lsgm(small_config(prior=PriorConfig(num_channels=8, channel_mult=(1, 1, 1, 1))), IMAGE_SHAPE)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("is_vae", [True, False])
def test_counts_are_those_of_the_built_model(is_vae):
    config = small_config(is_vae)
    model = build_lsgm(config, IMAGE_SHAPE)
    counts = parameter_counts(config, IMAGE_SHAPE)
    assert list(counts) == (["vae", "total"] if is_vae else ["vae", "prior", "total"])
    assert counts["total"] == sum(weight.numel() for weight in model.parameters())
    assert counts["vae"] == sum(weight.numel() for weight in model.vae.parameters())


def test_counts_of_the_cifar10_model():
    config = ExperimentConfig(name="cifar10", backbone="vae", data=DataConfig(name="cifar10"))
    assert parameter_counts(config, (3, 32, 32)) == {
        "vae": 100_867_740,
        "prior": 375_561_064,
        "total": 476_428_804,
    }


def test_counts_need_no_measured_variance():
    sde = SdeConfig(type="vesde", sigma2_0=3e-5, sigma2_max=None)
    assert parameter_counts(small_config(sde=sde), IMAGE_SHAPE) == parameter_counts(small_config(), IMAGE_SHAPE)


@pytest.mark.parametrize(
    ("config", "image_shape", "message"),
    [
        (small_config(**COLOUR), (1, 32, 32), r"discretised_logistic_mixture needs images of 3"),
        (small_config(), (1, 7, 7), r"images of 7x7 pixels with data.pad = 1"),
        (small_config(), (1, 8, 8), r"prior.channel_mult has 2 levels.*multiple of 2, not 5"),
        (small_config(), (1, 6, 10), r"square images, but its latents are 4x6"),
    ],
)
@pytest.mark.parametrize("build", [build_lsgm, parameter_counts])
def test_what_does_not_fit_is_an_input_error(build, config, image_shape, message):
    with pytest.raises(ConfigError, match=message) as error:
        build(config, image_shape)
    assert "\n" not in str(error.value)
