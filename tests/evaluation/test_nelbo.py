from __future__ import annotations

import math

import pytest
import torch
from toy_gaussian import GaussianPrior, sde_named
from toy_vae import SIZES, LinearVae, ToyModel, toy_config, toy_images

from lsgm.data import eval_batches, part_of
from lsgm.evaluation import evaluate_nelbo, importance_weighted_bound, posterior_noise, standard_normal_log_prob
from lsgm.randomness import normal
from lsgm.sampling import NumericalError, SolverError
from lsgm.sde import SDES

CPU = torch.device("cpu")
TOP = SIZES[0] + SIZES[1]


def inputs(images: torch.Tensor, config, seed: int) -> torch.Tensor:
    return torch.cat([x for _, x in eval_batches(images, config.data, 100, seed)])


def gaussian_lsgm(name: str, time_end: float, inflation: float = 1.0) -> ToyModel:
    """LSGM whose SGM prior is Gaussian, and whose VAE has the exact posterior under the density that its ODE gives."""
    mean = normal((1, 2, 1, 2), 1, "mean").double()
    variance = 0.3 + normal((1, 2, 1, 2), 1, "variance").double() ** 2
    prior = GaussianPrior(sde_named(name), mean, variance)
    # The flow is affine: it carries the base distribution N(0, base_variance) at t = 1 to this Gaussian at t_o.
    (_, var_one), (_, var_end) = prior.marginal(1.0), prior.marginal(time_end)
    location = prior.flow(torch.zeros(1, 2, 1, 2).double(), 1.0, time_end).flatten()
    spread = (prior.sde.base_variance * var_end / var_one).flatten()
    fine = torch.zeros(SIZES[2]).double()
    return ToyModel(LinearVae(torch.cat([location, fine]), torch.cat([spread, fine + 1]), inflation), prior)


def exact_coefficient(prior: GaussianPrior, t: torch.Tensor) -> torch.Tensor:
    noise = prior.sde.variance(t)
    return noise.sqrt() / (prior.sde.mean(t) ** 2 * prior.variance + noise)


def test_vae_with_exact_posterior_gives_the_evidence():
    images, config = toy_images(9), toy_config(batch_size=4)
    model = ToyModel(LinearVae())
    result = evaluate_nelbo(model, images, config, seed=1, device=CPU)
    expected = -model.vae.log_evidence(inputs(images, config, 1))
    torch.testing.assert_close(result.per_image, expected, rtol=0, atol=1e-4)
    assert result.mean_nats == pytest.approx(expected.mean().item(), abs=1e-4)
    assert result.stderr_nats == pytest.approx(expected.std().item() / 3, rel=1e-4)
    assert result.num_images == 9 and result.nfe_mean == 0


@pytest.mark.parametrize("name", SDES)
@pytest.mark.parametrize(
    "solver, probe", [("multistep", "rademacher"), ("adaptive", "rademacher"), ("adaptive", "gaussian")]
)
def test_lsgm_with_exact_posterior_gives_the_evidence(name, solver, probe):
    settings = {"solver": solver, "num_steps": 150, "tol": 1e-7, "time_end": 1e-4, "probe": probe}
    images, config = toy_images(5), toy_config(batch_size=5, **settings)
    model = gaussian_lsgm(name, 1e-4)
    if probe == "gaussian":  # the whole trace is then known, and the probe must not matter
        model.prior.normal_coefficient = lambda t: exact_coefficient(model.prior, t.reshape(-1, 1, 1, 1))
    result = evaluate_nelbo(model, images, config, seed=1, device=CPU)
    expected = -model.vae.log_evidence(inputs(images, config, 1))
    torch.testing.assert_close(result.per_image, expected, rtol=0, atol=2e-4)
    halving = 151 + 76 if solver == "multistep" else 0
    assert result.nfe_mean == model.prior.calls - halving


def test_gap_of_a_worse_posterior_is_its_divergence():
    """With the posterior's standard deviation inflated by a, the gap is KL = D ((a^2 - 1) / 2 - ln a) on average."""
    images, config = toy_images(1).expand(4000, -1, -1, -1), toy_config(batch_size=4000)
    model = ToyModel(LinearVae(inflation=1.3))
    result = evaluate_nelbo(model, images, config, seed=1, device=CPU)
    evidence = model.vae.log_evidence(inputs(images[:1], config, 1)).item()
    gap = sum(SIZES) * ((1.3**2 - 1) / 2 - math.log(1.3))
    assert result.mean_nats == pytest.approx(-evidence + gap, abs=4 * result.stderr_nats)
    assert result.stderr_nats < 0.1 * gap


def test_terms():
    images, config = toy_images(6), toy_config()
    model = ToyModel(LinearVae())
    result = evaluate_nelbo(model, images, config, seed=1, device=CPU)
    noises = posterior_noise(model.vae.latent_shapes, list(range(6)), 1, 0, CPU)
    x = inputs(images, config, 1)
    output = model.vae(x, noises)
    assert result.reconstruction == pytest.approx(model.vae.reconstruction(output.params, x).mean().item())
    assert result.negative_entropy == pytest.approx(sum(part.sum() for part in output.log_q).item() / 6)
    assert result.cross_entropy == pytest.approx(-standard_normal_log_prob(output.latents).mean().item())
    assert result.mean_nats == pytest.approx(
        result.reconstruction + result.negative_entropy + result.cross_entropy, abs=1e-9
    )
    assert result.entropy == -result.negative_entropy


def test_finer_groups_have_the_normal_prior_and_the_rest_the_sgm():
    """With an SGM prior that is the standard normal, LSGM and VAE agree image by image."""
    images, config = toy_images(5), toy_config(tol=1e-6)
    vae = LinearVae(inflation=1.2)

    class NormalPrior:
        sde = sde_named("vpsde")

        def __call__(self, z, t):
            return self.sde.normal_prediction(z, t)

    with_prior = evaluate_nelbo(ToyModel(vae, NormalPrior()), images, config, seed=1, device=CPU)
    alone = evaluate_nelbo(ToyModel(vae), images, config, seed=1, device=CPU)
    torch.testing.assert_close(with_prior.per_image, alone.per_image, rtol=0, atol=1e-5)


@pytest.mark.parametrize("solver", ["multistep", "adaptive"])
@pytest.mark.parametrize("probe", ["rademacher", "gaussian"])
def test_result_does_not_depend_on_batch_size(solver, probe):
    model, images = gaussian_lsgm("vpsde", 1e-4, inflation=1.2), toy_images(7)
    settings = {"solver": solver, "num_steps": 10, "tol": 1e-7, "probe": probe}
    results = [
        evaluate_nelbo(model, images, toy_config(batch_size=size, **settings), 1, CPU).per_image for size in (1, 3, 7)
    ]
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=0, atol=1e-4)
    assert not torch.allclose(
        results[0], evaluate_nelbo(model, images, toy_config(**settings), 2, CPU).per_image, atol=1e-2
    )


@pytest.mark.parametrize("batch_size", [3, 100])
def test_a_part_of_the_images_is_drawn(batch_size):
    """An image's own number does not depend on the part that it is in."""
    model, images = ToyModel(LinearVae()), toy_images(7)
    some = evaluate_nelbo(model, images, toy_config(num_images=4, batch_size=batch_size), 1, CPU)
    every = evaluate_nelbo(model, images, toy_config(), 1, CPU)
    assert some.num_images == 4
    torch.testing.assert_close(some.per_image, every.per_image[part_of(7, 4)], rtol=1e-6, atol=0)


def test_a_part_of_an_ordered_set_is_like_the_whole():
    """One class is constant and comes first, the other is noise: the first 40 images would be of one class."""
    images = toy_images(200)
    images[:100] = 0
    model = ToyModel(LinearVae())
    some = evaluate_nelbo(model, images, toy_config(num_images=40), 1, CPU)
    every = evaluate_nelbo(model, images, toy_config(), 1, CPU)
    assert abs(some.mean_nats - every.mean_nats) < 3 * some.stderr_nats
    bound = importance_weighted_bound(model, images, toy_config(num_images=40, num_iw_samples=1), 1, CPU)
    torch.testing.assert_close(bound.per_image, some.per_image, rtol=1e-5, atol=1e-5)
    first = every.per_image[:40].mean().item()
    assert abs(first - every.mean_nats) > 3 * some.stderr_nats, "the two classes differ enough for this to be a test"


def test_mean_over_the_authors_processes():
    """Seven images on four processes are two each, so that the first one counts twice; the spread is the images'."""
    model, images = ToyModel(LinearVae()), toy_images(7)
    plain = evaluate_nelbo(model, images, toy_config(), 1, CPU)
    padded = evaluate_nelbo(model, images, toy_config(official_processes=4), 1, CPU)
    assert torch.equal(padded.per_image, plain.per_image)
    expected = (plain.per_image.sum() + plain.per_image[0]) / 8
    assert padded.mean_nats == pytest.approx(expected.item(), rel=1e-12) and padded.mean_nats != plain.mean_nats
    assert padded.reconstruction + padded.negative_entropy + padded.cross_entropy == pytest.approx(padded.mean_nats)
    assert (padded.stderr_nats, padded.num_images) == (plain.stderr_nats, 7)
    even = evaluate_nelbo(model, images, toy_config(official_processes=7), 1, CPU)
    assert even.mean_nats == pytest.approx(plain.mean_nats, rel=1e-12)


@pytest.mark.parametrize("solver", ["multistep", "adaptive"])
def test_more_probes_keep_the_mean_and_shrink_the_spread(solver):
    model, images = gaussian_lsgm("vpsde", 1e-4), toy_images(1)
    spread = {}
    expected = -model.vae.log_evidence(inputs(images, toy_config(), 1)).item()
    for count in (1, 8):
        settings = {"solver": solver, "num_steps": 30, "tol": 1e-3, "time_end": 1e-4, "num_probes": count}
        config = toy_config(probe="gaussian", batch_size=300, **settings)
        result = evaluate_nelbo(model, images.expand(300, -1, -1, -1), config, 1, CPU)
        assert result.mean_nats == pytest.approx(expected, abs=4 * result.stderr_nats + 0.01)
        told = result.errors.probe_stderr
        assert told is None if count == 1 else told == pytest.approx(result.stderr_nats, rel=0.2)
        spread[count] = result.stderr_nats
    assert spread[8] == pytest.approx(spread[1] / math.sqrt(8), rel=0.2)


def test_model_is_evaluated_in_eval_mode_and_its_mode_restored():
    model = ToyModel(LinearVae()).train()
    forward = model.vae.forward
    model.vae.forward = lambda *inputs: [forward(*inputs), modes.append(model.vae.training)][0]
    modes: list[bool] = []
    evaluate_nelbo(model, toy_images(2), toy_config(), 1, CPU)
    assert modes == [False] and model.training and model.vae.training


def test_non_finite_numbers_raise():
    vae = LinearVae()
    vae.bias = vae.bias * math.nan
    with pytest.raises(NumericalError, match="reconstruction"):
        evaluate_nelbo(ToyModel(vae), toy_images(2), toy_config(), 1, CPU)
    model = gaussian_lsgm("vpsde", 1e-4)
    model.prior.mean = model.prior.mean * math.nan
    with pytest.raises(SolverError):
        evaluate_nelbo(model, toy_images(2), toy_config(), 1, CPU)
