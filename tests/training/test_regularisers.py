from __future__ import annotations

import pytest
import torch
from torch import nn

from lsgm.models.nvae import BatchNorm2d, WNConv2d
from lsgm.training.spectral import Regulariser, SpectralNorms


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [WNConv2d(3, 8, 3), BatchNorm2d(8), nn.Conv2d(8, 8, 3), WNConv2d(8, 8, 3, groups=8), nn.GroupNorm(2, 8)]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8, 4), nn.GroupNorm(2, 4, affine=False)).double()
    for norm in (network[1], network[4]):
        nn.init.normal_(norm.weight)
    return network


def weights_of(network: nn.Module) -> list[torch.Tensor]:
    return [network[0].normalised_weight(), network[2].weight, network[3].normalised_weight()]


def test_terms_against_singular_values(network):
    regulariser = Regulariser(network, 0.5, True, seed=0, purpose="test")
    for _ in range(50):
        terms = regulariser.terms()
    expected = sum(torch.linalg.svdvals(weight.flatten(1))[0] for weight in weights_of(network))
    scales = network[1].weight.abs().max() + network[4].weight.abs().max()
    torch.testing.assert_close(terms.spectral, expected, rtol=1e-8, atol=0)
    torch.testing.assert_close(terms.norm_scale, scales)
    torch.testing.assert_close(regulariser(), 0.5 * (expected + scales), rtol=1e-8, atol=0)


def test_gradient_is_that_of_the_singular_values(network):
    regulariser = Regulariser(network, 1.0, True, seed=0, purpose="test")
    for _ in range(50):
        regulariser.terms()
    parameters = list(network.parameters())
    found = torch.autograd.grad(regulariser.terms().spectral, parameters, allow_unused=True, materialize_grads=True)
    exact = sum(torch.linalg.svdvals(weight.flatten(1))[0] for weight in weights_of(network))
    expected = torch.autograd.grad(exact, parameters, allow_unused=True, materialize_grads=True)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


def test_weight_of_the_last_forward_pass_is_used(network):
    layer = network[0]
    layer(torch.zeros(1, 3, 4, 4, dtype=torch.float64))
    regulariser = Regulariser(nn.Sequential(layer), 1.0, True, seed=0, purpose="test")
    (gradient,) = torch.autograd.grad(regulariser.terms().spectral, [layer.last_weight])
    assert gradient.abs().sum() > 0


def test_nothing_is_computed_at_coefficient_zero(network, monkeypatch):
    monkeypatch.setattr(SpectralNorms, "__call__", lambda self: pytest.fail("computed"))
    regulariser = Regulariser(network, 0.0, True, seed=0, purpose="test")
    assert regulariser() is None


def test_without_convolutions_only_the_scales_count(network):
    terms = Regulariser(network, 1.0, False, seed=0, purpose="test").terms()
    assert terms.spectral.item() == 0
    assert terms.norm_scale.item() > 0


def test_first_call_iterates_longer():
    torch.manual_seed(1)
    weight = torch.randn(16, 8, 3, 3, dtype=torch.float64)
    exact = torch.linalg.svdvals(weight.flatten(1))[0].item()

    def error(started: bool) -> float:
        norms = SpectralNorms([lambda: weight], [weight.shape], 0, "test", torch.device("cpu"))
        norms.started = started
        return exact - norms().item()

    assert 0 <= error(started=False) < error(started=True) < 0.2 * exact


def test_state_returns(network):
    first, second = (Regulariser(network, 1.0, True, seed=seed, purpose="test") for seed in (0, 1))
    first()
    second.load_state_dict(first.state_dict())
    assert first() == second()


def test_a_weight_of_zeros_gives_zero():
    weight = torch.zeros(4, 2, 1, 1, requires_grad=True)
    value = SpectralNorms([lambda: weight], [weight.shape], 0, "test", torch.device("cpu"))()
    (gradient,) = torch.autograd.grad(value, weight)
    assert value.item() == 0
    assert torch.isfinite(gradient).all()
