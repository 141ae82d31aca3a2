from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lsgm.config import ConfigError, PriorConfig, SdeConfig
from lsgm.models.prior import MixedScorePrior
from lsgm.sde import SDES, Sde, build_sde

SHAPE = (5, 4, 4)
TINY = PriorConfig(num_channels=8, channel_mult=(1, 1), num_cells_per_scale=1, embedding_dim=8)
# Constants that every SDE accepts.
SDE_CONFIGS = [SdeConfig(type=name, sigma2_0=3e-5, sigma2_min=3e-5, sigma2_max=0.999) for name in SDES]


class Fixed(nn.Module):
    """A network that predicts the same whatever it sees, and remembers what it saw."""

    def __init__(self, predicted: Tensor):
        super().__init__()
        self.predicted = predicted
        self.seen: Tensor | None = None

    def forward(self, z: Tensor, time: Tensor) -> Tensor:
        self.seen = z
        return self.predicted


def make_prior(sde: Sde | None = None, **changes: object) -> MixedScorePrior:
    sde = sde or build_sde(SdeConfig())
    prior = MixedScorePrior(TINY.model_copy(update=changes), SHAPE, sde).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in prior.network.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))
        if prior.mixing_logit is not None:
            prior.mixing_logit.copy_(torch.linspace(-2, 2, SHAPE[0])[None, :, None, None])
    return prior


def draw(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    z = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(1), dtype=dtype)
    return z, torch.tensor([0.05, 0.5, 1.0], dtype=dtype)


@pytest.mark.parametrize("config", SDE_CONFIGS, ids=lambda config: config.type)
def test_alpha_zero_is_the_normal_prior(config):
    prior = make_prior(build_sde(config)).double()
    prior.mixing_logit.data.fill_(-torch.inf)
    z, time = draw(torch.float64)
    assert torch.equal(prior.alpha, torch.zeros(1, SHAPE[0], 1, 1, dtype=torch.float64))
    assert torch.equal(prior(z, time), prior.sde.normal_prediction(z, time))


@pytest.mark.parametrize("config", SDE_CONFIGS, ids=lambda config: config.type)
@pytest.mark.parametrize("mixed_score", [True, False])
def test_prediction_is_normal_coefficient_and_alpha_times_network(config, mixed_score):
    prior = make_prior(build_sde(config), mixed_score=mixed_score).double()
    z, time = draw(torch.float64)
    coefficient = prior.normal_coefficient(time)
    assert coefficient.shape == (3, SHAPE[0], 1, 1)
    expected = coefficient * z + prior.alpha * prior.network(z, time)
    torch.testing.assert_close(prior(z, time), expected, rtol=1e-12, atol=1e-12)


def test_start_of_the_logit_and_its_gradient():
    prior = MixedScorePrior(TINY, SHAPE, build_sde(SdeConfig()))
    torch.testing.assert_close(prior.alpha, torch.full((1, 5, 1, 1), 0.04742587), rtol=1e-6, atol=0)
    prior(*draw()).square().sum().backward()
    assert prior.mixing_logit.grad.abs().min() > 0


def test_without_mixing_there_is_no_logit_and_alpha_is_one():
    prior = make_prior(mixed_score=False)
    z, time = draw()
    assert prior.mixing_logit is None
    assert not any("mixing" in name for name in prior.state_dict())
    assert torch.equal(prior.alpha, torch.ones(1, 5, 1, 1))
    assert torch.equal(prior(z, time), prior.network(z, time))


@pytest.mark.parametrize("mixed_score", [True, False])
def test_deactivate_hides_channels_from_the_network_only(mixed_score):
    prior = make_prior(mixed_score=mixed_score)
    z, time = draw()
    prior.network = Fixed(torch.zeros_like(z))
    logit = prior.mixing_logit
    prior.deactivate(torch.tensor([False, True, False, False, False]))
    prior.deactivate(torch.tensor([False, False, False, True, False]))
    predicted = prior(z, time)
    hidden = [1, 3]
    shown = [0, 2, 4]
    assert not prior.network.seen[:, hidden].any()
    assert torch.equal(prior.network.seen[:, shown], z[:, shown])
    if mixed_score:
        assert prior.mixing_logit is logit
        assert logit.flatten()[hidden].tolist() == [-15, -15]
        normal = prior.sde.normal_prediction(z, time)[:, hidden]
        torch.testing.assert_close(predicted[:, hidden], normal, rtol=1e-6, atol=0)


def test_mask_is_saved_and_a_wrong_one_refused():
    prior = make_prior()
    prior.deactivate(torch.tensor([True, False, False, False, False]))
    assert prior.state_dict()["active"].flatten().tolist() == [0, 1, 1, 1, 1]
    for wrong in (torch.tensor([True]), torch.ones(5)):
        with pytest.raises(ValueError, match="expected 5 booleans"):
            prior.deactivate(wrong)


def test_float32_at_least():
    prior = make_prior()
    z, time = draw()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = prior(z, time)
    assert inside.dtype == torch.float32
    assert prior(z.bfloat16(), time).dtype == torch.float32
    double = prior(z.double(), time.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), prior(z, time), rtol=0, atol=1e-3)


def test_normal_part_is_exact_under_autocast():
    prior = make_prior(build_sde(SdeConfig(type="geometric", sigma2_0=3e-5)))
    prior.mixing_logit.data.fill_(-15)
    z, time = draw()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        predicted = prior(z, time)
    torch.testing.assert_close(predicted, prior.sde.normal_prediction(z, time), rtol=1e-6, atol=1e-6)


def test_latent_that_is_not_square_is_an_input_error():
    with pytest.raises(ConfigError, match="square images, but its latents are 4x8"):
        MixedScorePrior(TINY, (5, 4, 8), build_sde(SdeConfig()))
