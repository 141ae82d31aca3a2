from __future__ import annotations

import math

import pytest
import torch
from toy_vae import LinearVae, ToyModel, toy_config, toy_images

from lsgm.config import ConfigError
from lsgm.data import eval_batches
from lsgm.evaluation import evaluate_nelbo, importance_weighted_bound
from lsgm.sampling import NumericalError

CPU = torch.device("cpu")


def evidence(model: ToyModel, images: torch.Tensor) -> torch.Tensor:
    ((_, x),) = eval_batches(images, toy_config().data, len(images), 1)
    return model.vae.log_evidence(x)


def test_exact_posterior_gives_the_evidence_with_any_number_of_samples():
    model, images = ToyModel(LinearVae()), toy_images(5)
    for count in (1, 7):
        result = importance_weighted_bound(model, images, toy_config(num_iw_samples=count), 1, CPU)
        torch.testing.assert_close(result.per_image, -evidence(model, images), rtol=0, atol=1e-4)
        assert result.num_samples == count and result.num_images == 5


def test_mean_over_the_authors_processes():
    model, images = ToyModel(LinearVae()), toy_images(5)
    plain = importance_weighted_bound(model, images, toy_config(num_iw_samples=2), 1, CPU)
    padded = importance_weighted_bound(model, images, toy_config(num_iw_samples=2, official_processes=3), 1, CPU)
    assert padded.mean_nats == pytest.approx((plain.per_image.sum() + plain.per_image[0]).item() / 6)
    assert padded.stderr_nats == plain.stderr_nats and torch.equal(padded.per_image, plain.per_image)


def test_bound_falls_to_the_evidence():
    model, images = ToyModel(LinearVae(inflation=1.6)), toy_images(40)
    exact = -evidence(model, images).mean().item()
    gaps = [
        importance_weighted_bound(model, images, toy_config(num_iw_samples=count, batch_size=400), 1, CPU).mean_nats
        - exact
        for count in (1, 8, 64, 1000)
    ]
    assert gaps == sorted(gaps, reverse=True)
    # At K = 1 the gap is the posterior's divergence, D ((a^2 - 1) / 2 - ln a) for D = 8 and a = 1.6, here within noise.
    assert gaps[0] == pytest.approx(2.48, abs=1.2) and abs(gaps[-1]) < 0.03


def test_one_sample_is_the_nelbo():
    model, images = ToyModel(LinearVae(inflation=1.25)), toy_images(6)
    config = toy_config(num_iw_samples=1)
    bound = importance_weighted_bound(model, images, config, 1, CPU)
    nelbo = evaluate_nelbo(model, images, config, 1, CPU)
    torch.testing.assert_close(bound.per_image, nelbo.per_image)
    assert bound.mean_nats == pytest.approx(nelbo.mean_nats) and bound.stderr_nats == pytest.approx(nelbo.stderr_nats)


def test_result_does_not_depend_on_batches_and_chunks():
    images = toy_images(5)
    results, rows = [], []
    for batch_size in (1, 3, 5, 64):
        model = ToyModel(LinearVae(inflation=1.25))
        config = toy_config(num_iw_samples=11, batch_size=batch_size)
        results.append(importance_weighted_bound(model, images, config, 1, CPU).per_image)
        rows.append(max(model.vae.rows_seen))
        assert sum(model.vae.rows_seen) == 55
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=0, atol=1e-9)
    assert rows == [1, 3, 5, 55], "a pass has at most batch_size rows"


def test_prior_is_refused_and_non_finite_weights_raise():
    with pytest.raises(ConfigError, match="num_iw_samples"):
        importance_weighted_bound(ToyModel(LinearVae(), prior=object()), toy_images(2), toy_config(), 1, CPU)
    vae = LinearVae()
    vae.bias = vae.bias * math.inf
    with pytest.raises(NumericalError, match="importance weights"):
        importance_weighted_bound(ToyModel(vae), toy_images(2), toy_config(num_iw_samples=2), 1, CPU)
