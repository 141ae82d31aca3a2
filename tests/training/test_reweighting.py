from __future__ import annotations

import pytest
import torch
from torch import nn

from lsgm import randomness
from lsgm.algorithms import reweighted_gradient, vae_over_prior
from lsgm.config import PriorConfig, SdeConfig
from lsgm.models.prior import MixedScorePrior
from lsgm.sde import build_sde
from lsgm.time_sampling import TimeSample

PRIORS = {
    "plain": {},
    "pyramids": {"progressive": "output_skip", "progressive_input": "input_skip"},
    "residual pyramids": {"progressive": "residual", "progressive_input": "residual"},
    "attention, Fourier features": {"attention_resolutions": (4,), "embedding": "fourier", "fir": True},
    "dropout": {"dropout": 0.5},
}


@pytest.mark.parametrize("settings", PRIORS)
def test_samples_do_not_meet_in_the_prior(settings):
    """What all of it rests on: a sample's prediction depends on no other sample's latent."""
    sizes = {"num_channels": 8, "channel_mult": (1, 1), "num_cells_per_scale": 1, "embedding_dim": 8, "dropout": 0.0}
    prior = MixedScorePrior(PriorConfig(**(sizes | PRIORS[settings])), (4, 4, 4), build_sde(SdeConfig())).train()
    for index, parameter in enumerate(prior.parameters()):
        nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(index))
    z = randomness.normal((3, 4, 4, 4), 0, "test").requires_grad_()
    error = prior(z, torch.tensor([0.1, 0.5, 0.9])).square().flatten(1).sum(1)
    (gradient,) = torch.autograd.grad(error[1], z)
    assert (gradient.abs().amax(dim=(1, 2, 3)) > 0).tolist() == [False, True, False]


def test_the_gradient_is_multiplied_sample_by_sample():
    latent = randomness.normal((3, 2, 4, 4), 0, "test").double().requires_grad_()
    factor = torch.tensor([2.0, 0.0, -0.5], dtype=torch.float64)
    out = reweighted_gradient(latent, factor)
    assert torch.equal(out, latent)
    (gradient,) = torch.autograd.grad(out.pow(3).sum(), latent)
    torch.testing.assert_close(gradient, factor[:, None, None, None] * 3 * latent.detach() ** 2)


def test_the_ratio():
    """0 wherever lambda_q is; nothing that is not finite is covered up."""
    nan, inf = torch.nan, torch.inf
    prior = torch.tensor([2.0, 0.0, 0.0, 3.0, nan, nan])
    vae = torch.tensor([3.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    found = vae_over_prior(TimeSample(torch.ones(6), prior, vae))
    torch.testing.assert_close(found, torch.tensor([1.5, 0.0, inf, 0.0, nan, 0.0]), equal_nan=True)
