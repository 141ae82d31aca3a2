"""The variance of the objective under the time distributions: closed forms for standard normal latents."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
import toy_gaussian
from torch import nn

from lsgm.config import DataConfig, ExperimentConfig
from lsgm.evaluation.time_variance import measure_time_variance, normal_variation, time_proposals
from lsgm.sampling import NumericalError

SHAPE = (2, 4, 4)
MANY = 10**9


class NormalVae(nn.Module):
    """Its posterior is the standard normal whatever the image."""

    latent_shapes = (SHAPE,)
    prior_shape = SHAPE

    def encode(self, x, noises):
        return SimpleNamespace(latents=list(noises))

    def join(self, latents):
        return latents[0].double()


class Model(nn.Module):
    def __init__(self, prior):
        super().__init__()
        self.vae, self.prior = NormalVae(), prior


def normal_model(name):
    zeros = torch.zeros(1, *SHAPE, dtype=torch.float64)
    return Model(toy_gaussian.GaussianPrior(toy_gaussian.sde_named(name), zeros, zeros + 1))


def settings(num_images=400, num_times=16, batch_size=200):
    config = ExperimentConfig(name="toy", backbone="x", data=DataConfig(name="patches"))
    figures = config.figures.model_copy(update={"variance_images": num_images, "variance_times": num_times})
    nelbo = config.evaluate.nelbo.model_copy(update={"batch_size": batch_size})
    evaluate = config.evaluate.model_copy(update={"nelbo": nelbo})
    return config.model_copy(update={"figures": figures, "evaluate": evaluate})


def images(count=400):
    return torch.zeros(count, 3, 8, 8, dtype=torch.uint8)


# Mean and standard deviation over t as the specification lists them (method.md: Time sampling), in many dimensions.
LISTED = {
    ("ll", "uniform"): (3.10e3, 7.5e3),
    ("ll", "re"): (3.11e3, 1.1e4),
    ("ll", "un"): (3.11e3, 3.0e3),
    ("un", "uniform"): (1.33e2, 1.7e2),
    ("re", "uniform"): (4.9e2, 4.9e2),
}


@pytest.mark.parametrize(("weighting", "times"), LISTED)
def test_variation_of_normal_latents_is_as_listed(weighting, times):
    sde = toy_gaussian.sde_named("vpsde")
    mean, std = LISTED[weighting, times]
    found = normal_variation(sde, weighting, time_proposals(sde)[times], MANY)
    assert math.isclose(found, std / mean, rel_tol=0.03)


# The times of a sub-VPSDE are those of the VPSDE: close to the best, not the best.
@pytest.mark.parametrize("name", sorted(toy_gaussian.SDE_CONFIGS.keys() - {"sub_vpsde"}))
@pytest.mark.parametrize("num_dims", [1, 128])
def test_the_own_proposal_leaves_only_the_noise(name, num_dims):
    """The sum of squares is chi-square with D degrees of freedom: std / mean = sqrt(2 / D), nothing from t."""
    sde = toy_gaussian.sde_named(name)
    for weighting, proposal in time_proposals(sde).items():
        if weighting != "uniform":
            assert math.isclose(
                normal_variation(sde, weighting, proposal, num_dims), math.sqrt(2 / num_dims), rel_tol=1e-6
            )


def test_distributions_of_each_process():
    assert list(time_proposals(toy_gaussian.sde_named("vpsde"))) == ["uniform", "ll", "un", "re"]
    assert list(time_proposals(toy_gaussian.sde_named("geometric"))) == ["uniform", "ll", "re"]


@pytest.mark.parametrize("name", ["vpsde", "geometric", "vesde"])
def test_measured_on_normal_latents(name):
    found = measure_time_variance(normal_model(name), images(), settings(), seed=1, device="cpu")
    assert len(found) == 3 * len(time_proposals(toy_gaussian.sde_named(name)))
    for entry in found:
        assert math.isclose(entry.std / entry.mean, entry.normal_variation, rel_tol=0.1), entry
    for weighting in ("ll", "un", "re"):
        means = [entry.mean for entry in found if entry.weighting == weighting]
        assert max(means) < 1.02 * min(means), "the mean does not depend on where times are drawn"


def test_rows_do_not_depend_on_the_batch():
    model = normal_model("vpsde")
    first, second = (
        measure_time_variance(model, images(30), settings(20, 2, batch), seed=1, device="cpu") for batch in (20, 7)
    )
    for one, other in zip(first, second, strict=True):
        assert math.isclose(one.std, other.std, rel_tol=1e-9) and math.isclose(one.mean, other.mean, rel_tol=1e-9)
    everyone = measure_time_variance(model, images(30), settings(30, 2), seed=1, device="cpu")
    assert everyone != first


def test_non_finite_errors_are_not_averaged():
    class Broken(toy_gaussian.GaussianPrior):
        def __call__(self, z, t):
            return super().__call__(z, t) * torch.where(t > 0.9, math.nan, 1.0)[:, None, None, None]

    zeros = torch.zeros(1, *SHAPE, dtype=torch.float64)
    model = Model(Broken(toy_gaussian.sde_named("vpsde"), zeros, zeros + 1))
    with pytest.raises(NumericalError, match="squared errors"):
        measure_time_variance(model, images(), settings(50, 4), seed=1, device="cpu")
