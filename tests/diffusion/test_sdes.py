"""Every SDE satisfies its own differential equations, inverts its variance, and keeps its digits in float32."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from diffusion.cases import CASES, times

from lsgm.config import ConfigError, SdeConfig
from lsgm.sde import SDES, VariancePreservingSde, build_sde

FUNCTIONS = ("drift", "diffusion_squared", "variance", "mean", "normal_variance")
every_sde = pytest.mark.parametrize("sde", CASES.values(), ids=CASES)
variance_preserving = {name: sde for name, sde in CASES.items() if isinstance(sde, VariancePreservingSde)}
every_vp_sde = pytest.mark.parametrize("sde", variance_preserving.values(), ids=variance_preserving)


def derivative(function, t):
    """Slope by autograd; 0 · t lets constant functions have one."""
    t = t.clone().requires_grad_()
    return torch.autograd.grad((function(t) + 0 * t).sum(), t)[0]


def test_the_registry_is_what_the_settings_allow():
    assert set(SDES) == set(get_args(SdeConfig.model_fields["type"].annotation))


@every_sde
def test_mean_solves_its_equation(sde):
    t = times(sde)
    torch.testing.assert_close(derivative(sde.mean, t), sde.drift(t) * sde.mean(t), rtol=1e-9, atol=1e-12)
    assert sde.mean(torch.zeros(1, dtype=torch.float64)).item() == pytest.approx(1, abs=1e-15)


@every_sde
def test_variance_solves_its_equation(sde):
    t = times(sde)
    expected = 2 * sde.drift(t) * sde.variance(t) + sde.diffusion_squared(t)
    torch.testing.assert_close(derivative(sde.variance, t), expected, rtol=1e-9, atol=1e-9)
    assert sde.variance(torch.zeros(1, dtype=torch.float64)).item() == pytest.approx(sde.sigma2_0, rel=1e-12)


@every_sde
def test_normal_variance_solves_the_same_equation_from_one(sde):
    t = times(sde)
    expected = 2 * sde.drift(t) * sde.normal_variance(t) + sde.diffusion_squared(t)
    torch.testing.assert_close(derivative(sde.normal_variance, t), expected, rtol=1e-9, atol=1e-9)
    assert sde.normal_variance(torch.zeros(1, dtype=torch.float64)).item() == 1


@every_sde
def test_time_of_variance_inverts_variance(sde):
    # The sub-VPSDE's variance dips at the very start if sigma2_0 > 0; its inverse is for the growing branch.
    t = times(sde, start=0.01)
    torch.testing.assert_close(sde.time_of_variance(sde.variance(t)), t, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["vpsde", "sub_vpsde"])
def test_inverse_keeps_its_digits_at_small_times(name):
    t = torch.tensor([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1], dtype=torch.float32)
    torch.testing.assert_close(CASES[name].time_of_variance(CASES[name].variance(t)), t, rtol=2e-6, atol=0)


@every_sde
@pytest.mark.parametrize("function", FUNCTIONS)
def test_float32_keeps_its_digits(sde, function):
    t = torch.cat([torch.tensor([1e-5, 1e-3]), torch.linspace(0.01, 1, 500), 1 - torch.tensor([1e-4, 1e-6])])
    single = getattr(sde, function)(t)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), getattr(sde, function)(t.double()), rtol=4e-6, atol=0)


@every_vp_sde
def test_complement_of_the_variance(sde):
    t = times(sde)
    torch.testing.assert_close(sde.one_minus_variance(t), 1 - sde.variance(t), rtol=0, atol=5e-15)
    single = sde.one_minus_variance(t.float()).double()
    torch.testing.assert_close(single, sde.one_minus_variance(t.float().double()), rtol=4e-6, atol=0)
    torch.testing.assert_close(sde.variance_rate(t), derivative(sde.variance, t), rtol=1e-10, atol=1e-10)


def test_complement_at_the_end_is_not_a_difference():
    end = torch.tensor(1.0)
    assert CASES["vpsde"].one_minus_variance(end).item() == pytest.approx(4.3185748930e-05, rel=2e-6)
    assert CASES["geometric"].one_minus_variance(end).item() == pytest.approx(1e-3, rel=1e-6)


@every_sde
def test_perturb_is_the_transition(sde):
    generator = torch.Generator().manual_seed(0)
    t = torch.tensor([max(sde.time_eps, 1e-3), 0.3, 1.0], dtype=torch.float64)
    z0 = torch.randn(3, 2, 4, 4, generator=generator, dtype=torch.float64)
    noise = torch.randn(3, 2, 4, 4, generator=generator, dtype=torch.float64)
    z = sde.perturb(z0, noise, t)
    for k in range(3):
        torch.testing.assert_close(z[k], sde.mean(t[k]) * z0[k] + sde.variance(t[k]).sqrt() * noise[k])
        torch.testing.assert_close(sde.perturb(z0, noise, t[k])[k], z[k])
    assert sde.perturb(z0.bfloat16(), noise.bfloat16(), t.float()).dtype == torch.float32
    assert sde.perturb(z0.bfloat16(), noise.bfloat16(), t.bfloat16()).dtype == torch.float32


@every_sde
def test_normal_prediction_is_the_best_one_for_normal_latents(sde):
    """M regresses ε on z_t: its coefficient is Cov(ε, z_t) / Var(z_t) with Cov(ε, z_t) = σ_t."""
    t = times(sde, 7)
    coefficient = sde.normal_prediction(torch.ones(7, 2, 3, 3, dtype=torch.float64), t)
    torch.testing.assert_close(coefficient[:, 0, 0, 0] * sde.normal_variance(t), sde.variance(t).sqrt())
    assert torch.equal(coefficient, coefficient[:, :1, :1, :1].expand_as(coefficient))


@every_sde
def test_base_log_prob(sde):
    z = torch.randn(5, 2, 3, 3, generator=torch.Generator().manual_seed(1)) * 2
    normal = torch.distributions.Normal(0.0, math.sqrt(sde.base_variance))
    torch.testing.assert_close(sde.base_log_prob(z), normal.log_prob(z).sum(dim=(1, 2, 3)))
    assert sde.base_log_prob(z.half()).dtype == torch.float32


def test_base_variance():
    assert CASES["vesde"].base_variance == 300.0
    assert {sde.base_variance for name, sde in CASES.items() if name != "vesde"} == {1.0}


@pytest.mark.parametrize("integral", [1e-12, 1e-6, 1e-3, 0.5, 10.05])
def test_linear_beta_inverts_its_integral(integral):
    sde, value = CASES["vpsde"], torch.tensor(integral, dtype=torch.float64)
    torch.testing.assert_close(sde.beta_integral(sde.time_of_integral(value)), value, rtol=1e-13, atol=0)


def test_vesde_without_its_largest_variance_says_to_measure_it():
    config = SdeConfig(type="vesde", sigma2_0=1e-4, sigma2_min=1e-4, sigma2_max=None)
    with pytest.raises(ConfigError, match=r"sde\.sigma2_max.*measured"):
        build_sde(config)
    assert build_sde(config.model_copy(update={"sigma2_max": 42.0})).base_variance == 42.0
    with pytest.raises(ConfigError, match="do not spread"):
        build_sde(config.model_copy(update={"sigma2_max": 1e-5}))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"type": "geometric", "sigma2_0": 0.0, "time_eps": 0.0}, r"sde\.time_eps"),
        ({"type": "geometric", "sigma2_0": 0.01}, r"sde\.sigma2_0"),
    ],
)
def test_settings_with_a_variance_of_zero_or_one_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        build_sde(SdeConfig(**settings))
