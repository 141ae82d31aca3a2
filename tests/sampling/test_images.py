from __future__ import annotations

import math

import pytest
import torch
from toy_gaussian import GaussianPrior, sde_named
from toy_vae import BatchNormVae, LinearVae, ToyModel

from lsgm.config import SampleConfig
from lsgm.randomness import normal_rows
from lsgm.sampling import SAMPLERS, NumericalError, PriorSamples, SolverError, iterate_images, sample_images

CPU = torch.device("cpu")


def lsgm(vae: LinearVae | None = None) -> ToyModel:
    mean, variance = torch.full((1, 2, 1, 2), 0.4).double(), torch.full((1, 2, 1, 2), 0.5).double()
    return ToyModel(vae or LinearVae(), GaussianPrior(sde_named("vpsde"), mean, variance))


def settings(**keys) -> SampleConfig:
    return SampleConfig(**{"num_samples": 7, "batch_size": 3, "num_steps": 10, **keys})


@pytest.mark.parametrize("solver", SAMPLERS)
@pytest.mark.parametrize("with_prior", [True, False])
def test_images_do_not_depend_on_batch_size(solver, with_prior):
    model = lsgm() if with_prior else ToyModel(LinearVae())
    results = [
        sample_images(model, settings(solver=solver, batch_size=size, tol=1e-3), 5, CPU).images for size in (1, 3, 7)
    ]
    assert results[0].shape == (7, 1, 4, 4) and results[0].dtype == torch.float32
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=0, atol=2e-6)
    assert len({tuple(image.flatten().tolist()) for image in results[0]}) == 7


def test_first_images_are_the_same_in_a_longer_run_and_another_seed_gives_others():
    model = ToyModel(LinearVae())
    short = sample_images(model, settings(num_samples=2), 5, CPU).images
    longer = sample_images(model, settings(), 5, CPU).images
    assert torch.equal(short, longer[:2])
    assert not torch.equal(short, sample_images(model, settings(num_samples=2), 6, CPU).images)


def test_moments_of_the_vae_backbone_and_its_temperature():
    vae = LinearVae()
    vae.weight = vae.weight * 0.2  # keeps the images inside [-1, 1], where nothing is clamped
    for temperature in (1.0, 0.5):
        config = settings(num_samples=2000, batch_size=1000, vae_temperature=temperature)
        flat = sample_images(ToyModel(vae), config, 1, CPU).images.double().flatten(1) * 2 - 1
        covariance = temperature**2 * vae.weight @ vae.weight.T
        torch.testing.assert_close(flat.mean(0), vae.bias, rtol=0, atol=0.02)
        torch.testing.assert_close(flat.T.cov(), covariance, rtol=0, atol=0.15 * float(covariance.diagonal().max()))


def test_lsgm_decodes_the_latents_of_its_prior():
    model = lsgm()
    seen = []
    decode = model.vae.decode
    model.vae.decode = lambda latents: seen.append(latents) or decode(latents)
    config = settings(num_samples=3000, batch_size=1500, prior_temperature=1.0, vae_temperature=0.5)
    samples = sample_images(model, config, 1, CPU)
    top = torch.cat([torch.cat(latents[:2], 1) for latents in seen])
    fine = torch.cat([latents[2] for latents in seen])
    assert top.shape[1:] == (2, 1, 2) and fine.shape[1:] == (1, 2, 2) and top.dtype == torch.float32
    torch.testing.assert_close(top.mean(0), torch.full((2, 1, 2), 0.4), rtol=0, atol=0.06)
    torch.testing.assert_close(top.var(0), torch.full((2, 1, 2), 0.5), rtol=0, atol=0.06)
    torch.testing.assert_close(fine.std(0), torch.full((1, 2, 2), 0.5), rtol=0, atol=0.03)
    assert samples.num_batches == 2 and samples.seconds > 0


def test_step_noise_is_fresh_at_every_step_and_belongs_to_the_sample(monkeypatch):
    captured = []

    def sample_prior(prior, noise, config, step_noise):
        captured.append([step_noise(step) for step in (2, 3)])
        return PriorSamples(noise, 1)

    monkeypatch.setattr("lsgm.sampling.images.sample_prior", sample_prior)
    for size in (2, 1):
        sample_images(lsgm(), settings(num_samples=2, batch_size=size), 5, CPU)
    (second, third), first_row, second_row = captured
    assert second.shape == (2, 2, 1, 2) and not torch.equal(second, third) and not torch.equal(second[0], second[1])
    assert torch.equal(second, torch.cat([first_row[0], second_row[0]]))


def test_nfe_is_the_mean_over_batches():
    model = lsgm()
    config = settings(tol=1e-3)
    batches = [batch.nfe for batch in iterate_images(model, config, 5, CPU)]
    samples = sample_images(model, config, 5, CPU)
    assert len(batches) == samples.num_batches == 3
    assert samples.nfe_mean == pytest.approx(sum(batches) / 3)
    assert model.prior.calls == 2 * sum(batches)
    assert sample_images(ToyModel(LinearVae()), config, 5, CPU).nfe_mean == 0


def test_evaluations_of_an_image_are_a_mean_over_images_and_do_not_depend_on_batches(monkeypatch):
    monkeypatch.setattr("lsgm.sampling.images.normal_rows", dear_last_image)
    results = [sample_images(lsgm(), settings(batch_size=size), 5, CPU) for size in (1, 3, 7)]
    assert len({samples.nfe_per_image for samples in results}) == 1
    alone, _, together = results
    assert alone.nfe_mean == alone.nfe_per_image < together.nfe_mean
    ancestral = sample_images(lsgm(), settings(solver="ancestral"), 5, CPU)
    assert ancestral.nfe_per_image == ancestral.nfe_mean == 10
    assert sample_images(ToyModel(LinearVae()), settings(), 5, CPU).nfe_per_image == 0


def dear_last_image(indices, *key):
    """The draws, but those of the last image far out, which takes more steps."""
    scale = torch.tensor([30.0 if index == 6 else 1.0 for index in indices])
    return normal_rows(indices, *key) * scale.reshape(-1, 1, 1, 1)


def test_values_are_clamped_to_the_unit_interval():
    vae = LinearVae()
    vae.weight = vae.weight * 100
    images = sample_images(ToyModel(vae), settings(), 1, CPU).images
    assert images.min() == 0 and images.max() == 1


def test_batch_statistics_are_used_and_leave_no_trace():
    model = lsgm(BatchNormVae())
    model.vae.norm.running_mean.fill_(3.0)
    model.train()
    model.vae.norm.eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    running = sample_images(model, settings(num_samples=3), 5, CPU).images
    batch = sample_images(model, settings(num_samples=3, batch_statistics=True), 5, CPU).images
    assert running.max() == 0, "the running mean pushes everything below -1"
    # Values normalised to mean 0 and variance 1, then clamped and mapped: their mean cannot be at an end.
    assert 0.4 < batch.mean() < 0.6
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), name
    assert model.training and model.vae.training and not model.vae.norm.training
    assert model.vae.norm.track_running_stats


@pytest.mark.parametrize("batch_statistics", [True, False])
def test_modes_are_restored_after_an_error(batch_statistics):
    vae = BatchNormVae()
    model = ToyModel(vae).train()

    def fail(latents):
        assert not vae.training and vae.norm.training == batch_statistics
        raise RuntimeError("out of memory")

    vae.decode = fail
    with pytest.raises(RuntimeError, match="out of memory"):
        sample_images(model, settings(batch_statistics=batch_statistics), 5, CPU)
    assert all(module.training for module in model.modules()) and vae.norm.track_running_stats


def test_non_finite_numbers_raise():
    broken = lsgm()
    broken.prior.mean = torch.full_like(broken.prior.mean, math.nan)
    with pytest.raises(SolverError):
        sample_images(broken, settings(), 5, CPU)
    vae = LinearVae()
    vae.bias = vae.bias * math.nan
    with pytest.raises(NumericalError, match="sampled images"):
        sample_images(ToyModel(vae), settings(), 5, CPU)
