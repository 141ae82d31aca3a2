"""The real networks, small: what must hold whatever their weights are."""

from __future__ import annotations

import pytest
import torch

from lsgm.config import DataConfig, ExperimentConfig, NelboConfig, PriorConfig, SampleConfig, SdeConfig, VaeConfig
from lsgm.evaluation import draw_probes, evaluate_nelbo, importance_weighted_bound, prior_log_prob
from lsgm.models.lsgm import Lsgm, build_lsgm
from lsgm.randomness import normal
from lsgm.sampling import SAMPLERS, sample_images

CPU = torch.device("cpu")
SHAPE = (1, 6, 6)
GEOMETRIC = SdeConfig(type="geometric", sigma2_0=3.0e-5, time_eps=0.0)


def experiment(sde: SdeConfig | None = None, **nelbo: object) -> ExperimentConfig:
    settings = {"num_iw_samples": 3, "num_steps": 8, "tol": 1e-3, **nelbo}
    return ExperimentConfig(
        name="small",
        backbone="vae",
        data=DataConfig(name="digits", pad=1, binarise=True),
        vae=VaeConfig(
            num_channels=8,
            channel_mult=(1, 1, 2),
            num_latent_scales=2,
            num_groups_per_scale=2,
            num_latent_per_group=3,
            num_cells_per_group=1,
            output="bernoulli",
        ),
        prior=PriorConfig(num_channels=8, channel_mult=(1, 1), num_cells_per_scale=1, embedding_dim=8),
        sde=sde or SdeConfig(),
        objective={"weighting": "ll"},
        evaluate={"nelbo": settings},
    )


def randomised(config: ExperimentConfig) -> Lsgm:
    """A model without zero-initialised layers, and with batch norms that have seen data."""
    model = build_lsgm(config, SHAPE)
    for number, weight in enumerate(model.parameters()):
        weight.data += 0.1 * normal(weight.shape, 2, "weights", number)
    model.train()
    with torch.no_grad():
        noises = [normal((16, *shape), 3, "noise", group) for group, shape in enumerate(model.vae.latent_shapes)]
        model.vae(normal((16, 1, 8, 8), 3, "x").sign(), noises)
    return model


def images(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, *SHAPE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


@pytest.mark.parametrize("sde", [SdeConfig(), GEOMETRIC], ids=["vpsde", "geometric"])
def test_prior_without_its_network_gives_the_nelbo_of_the_vae(sde):
    config = experiment(sde)
    model = randomised(config)
    model.prior.mixing_logit.data.fill_(-40.0)
    with_prior = evaluate_nelbo(model, images(3), config, 1, CPU)
    alone = evaluate_nelbo(Lsgm(model.vae), images(3), config, 1, CPU)
    torch.testing.assert_close(with_prior.per_image, alone.per_image, rtol=0, atol=2e-2)
    assert with_prior.nfe_mean > 0 and alone.nfe_mean == 0


def test_gaussian_and_sign_probes_agree_on_average():
    model = randomised(experiment()).eval()
    latent = normal((1, *model.vae.prior_shape), 1, "z").expand(200, -1, -1, -1)
    means, errors = [], []
    for kind in ("rademacher", "gaussian"):
        probes = draw_probes(range(200), model.vae.prior_shape, kind, 1, 1)
        values = prior_log_prob(model.prior, latent, probes, NelboConfig(tol=1e-2, time_end=1e-3)).log_prob
        means.append(values.mean().item())
        errors.append(values.std().item() / 200**0.5)
    assert abs(means[0] - means[1]) < 4 * sum(errors) + 0.05


def test_bound_does_not_depend_on_batch_size():
    model = Lsgm(randomised(experiment()).vae)
    first, second = (
        importance_weighted_bound(model, images(5), experiment(batch_size=size), 1, CPU).per_image for size in (2, 15)
    )
    torch.testing.assert_close(first, second, rtol=0, atol=1e-3)


@pytest.mark.parametrize("solver", SAMPLERS)
@pytest.mark.parametrize("batch_statistics", [True, False])
def test_sampling_leaves_the_model_as_it_was(solver, batch_statistics):
    model = randomised(experiment())
    state = {name: value.clone() for name, value in model.state_dict().items()}
    config = SampleConfig(
        num_samples=5, batch_size=5, solver=solver, num_steps=10, tol=1e-3, batch_statistics=batch_statistics
    )
    samples = sample_images(model, config, 1, CPU)
    assert samples.images.shape == (5, 1, 8, 8) and 0 <= samples.images.min() <= samples.images.max() <= 1
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    other = sample_images(model, config.model_copy(update={"batch_statistics": not batch_statistics}), 1, CPU)
    assert not torch.allclose(samples.images, other.images, atol=1e-3)


def test_images_do_not_depend_on_batch_size():
    model = randomised(experiment())
    config = SampleConfig(num_samples=5, batch_size=2, solver="ancestral", num_steps=10)
    other = config.model_copy(update={"batch_size": 5})
    first, second = sample_images(model, config, 1, CPU), sample_images(model, other, 1, CPU)
    torch.testing.assert_close(first.images, second.images, rtol=0, atol=1e-4)
    assert first.num_batches == 3 and second.num_batches == 1


def masked() -> Lsgm:
    model = randomised(experiment())
    model.prior.mixing_logit.data.fill_(0.0)
    model.prior.deactivate(torch.arange(model.vae.prior_shape[0]) % 2 == 0)
    return model


def unmasked() -> Lsgm:
    """The same with its mask lost, as the authors' files lose it."""
    model = masked()
    model.prior.active.fill_(1)
    return model


@pytest.mark.parametrize("official_probes", [True, False])
def test_official_mask_of_the_nelbo(official_probes):
    keys = {"tol": 1e-2, "time_end": 1e-3, "official_probes": official_probes}
    own, official = experiment(**keys), experiment(**keys, official_mask=True)
    model = masked()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    found = evaluate_nelbo(model, images(3), official, 1, CPU).per_image
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(found, evaluate_nelbo(unmasked(), images(3), own, 1, CPU).per_image)
    assert (found - evaluate_nelbo(model, images(3), own, 1, CPU).per_image).abs().max() > 0.01


@pytest.mark.parametrize("solver", SAMPLERS)
def test_official_mask_of_the_samples(solver):
    own = SampleConfig(num_samples=3, batch_size=3, solver=solver, num_steps=10, tol=1e-2, time_end=1e-3)
    official = own.model_copy(update={"official_mask": True})
    model = masked()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    found = sample_images(model, official, 1, CPU).images
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(found, sample_images(unmasked(), own, 1, CPU).images)
    assert not torch.allclose(found, sample_images(model, own, 1, CPU).images, atol=1e-4)


def test_switches_of_the_evaluation_mean_nothing_for_a_vae_alone():
    model = Lsgm(randomised(experiment()).vae)
    plain = evaluate_nelbo(model, images(3), experiment(), 1, CPU)
    switched = evaluate_nelbo(model, images(3), experiment(official_mask=True, official_probes=True), 1, CPU)
    assert torch.equal(plain.per_image, switched.per_image)
    config = SampleConfig(num_samples=2, batch_size=2, official_mask=True)
    own = config.model_copy(update={"official_mask": False})
    assert torch.equal(sample_images(model, config, 1, CPU).images, sample_images(model, own, 1, CPU).images)
