"""Times follow the density that the weights divide by, and every proposal estimates the same integrals."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from diffusion.cases import CASES, OPTIMAL, SAMPLERS, integrate, is_defined, normal_error, times

from lsgm.config import ConfigError, ObjectiveConfig, SdeConfig
from lsgm.sde import GeometricVPSDE, SubVPSDE, build_sde
from lsgm.time_sampling import IMPORTANCE, TIMES, WEIGHTINGS, build_time_sampler, w_ll

every_sampler = pytest.mark.parametrize(("name", "weighting", "time"), SAMPLERS)
TEST_FUNCTIONS = {"1 - t": lambda t: 1 - t, "t²": torch.square, "cos 7t": lambda t: torch.cos(7 * t)}


def test_registries_are_what_the_settings_allow():
    fields = ObjectiveConfig.model_fields
    assert set(WEIGHTINGS) == set(get_args(fields["weighting"].annotation))
    assert set(TIMES) == set(get_args(fields["time"].annotation))


@every_sampler
def test_density_integrates_to_one(name, weighting, time):
    sampler = build_time_sampler(CASES[name], weighting, time)
    assert integrate(sampler.proposal.density, CASES[name].time_eps, 1.0) == pytest.approx(1, rel=1e-10)


@every_sampler
def test_density_is_that_of_the_times(name, weighting, time):
    """dt/dρ = 1 / r(t), by central differences."""
    sampler = build_time_sampler(CASES[name], weighting, time)
    rho, step = torch.linspace(0.02, 0.98, 49, dtype=torch.float64), 1e-6
    slope = (sampler.sample(rho + step).time - sampler.sample(rho - step).time) / (2 * step)
    torch.testing.assert_close(
        slope * sampler.proposal.density(sampler.sample(rho).time), torch.ones_like(rho), rtol=1e-6, atol=0
    )


@every_sampler
def test_times_fill_the_interval_in_order(name, weighting, time):
    sampler = build_time_sampler(CASES[name], weighting, time)
    drawn = sampler.sample(torch.linspace(0, 1, 1001, dtype=torch.float64)).time
    assert drawn[0].item() == pytest.approx(CASES[name].time_eps, abs=1e-9)
    assert drawn[-1].item() == pytest.approx(1, abs=1e-9)
    assert (drawn.diff() > 0).all()


@every_sampler
@pytest.mark.parametrize("function", TEST_FUNCTIONS)
def test_weights_give_the_integral_whatever_the_proposal(name, weighting, time, function):
    """∫ λ h(t(ρ)) dρ = ½ ∫ w h dt over [time_eps, 1], for the prior's weighting and for the encoder's."""
    sde, h = CASES[name], TEST_FUNCTIONS[function]
    sampler = build_time_sampler(sde, weighting, time)
    for attribute, weight in (("prior_weight", WEIGHTINGS[weighting]), ("vae_weight", w_ll)):

        def estimate(rho, attribute=attribute):
            sample = sampler.sample(rho)
            return getattr(sample, attribute) * h(sample.time)

        # Divided by the integral of w |h|: cos changes its sign.
        exact = integrate(lambda t, weight=weight: 0.5 * weight(sde, t) * h(t), sde.time_eps, 1.0)
        size = integrate(lambda t, weight=weight: 0.5 * weight(sde, t) * h(t).abs(), sde.time_eps, 1.0)
        assert abs(integrate(estimate, 0.0, 1.0) - exact) / size < 1e-9


@pytest.mark.parametrize(("name", "weighting"), OPTIMAL)
def test_own_objective_does_not_vary_with_time(name, weighting):
    """For normal latents the proposal is proportional to the integrand: λ_p E(ε − M)² is one number for all t."""
    sde = CASES[name]
    sample = build_time_sampler(sde, weighting, "is").sample(torch.linspace(0, 1, 501, dtype=torch.float64))
    terms = sample.prior_weight * normal_error(sde, sample.time, variance=1 - sde.sigma2_0)
    torch.testing.assert_close(terms, terms.mean().expand_as(terms), rtol=1e-9, atol=0)


@pytest.mark.parametrize(("weighting", "time"), [("ll", "uniform"), ("un", "uniform"), ("re", "uniform"), ("re", "is")])
def test_other_times_do_vary(weighting, time):
    sample = build_time_sampler(CASES["vpsde"], weighting, time).sample(torch.linspace(0, 1, 501, dtype=torch.float64))
    terms = sample.vae_weight * normal_error(CASES["vpsde"], sample.time, variance=1.0)
    assert terms.std() > terms.mean()


def test_importance_sampling_the_geometric_sde_is_uniform():
    rho = torch.linspace(0, 1, 101, dtype=torch.float64)
    for sde in (CASES["geometric"], build_sde(SdeConfig(type="geometric", sigma2_0=3e-5, time_eps=0.2))):
        importance = build_time_sampler(sde, "ll", "is").sample(rho)
        uniform = build_time_sampler(sde, "ll", "uniform").sample(rho)
        torch.testing.assert_close(importance.time, uniform.time, rtol=0, atol=1e-12)
        # 1 − σ² has a condition number of 1e4 at t = 1.
        torch.testing.assert_close(importance.vae_weight, uniform.vae_weight, rtol=1e-10, atol=0)


def test_sub_vpsde_draws_the_times_of_the_vpsde():
    rho = torch.linspace(0, 1, 11)
    for weighting in IMPORTANCE[SubVPSDE]:
        own = build_time_sampler(CASES["sub_vpsde"], weighting, "is").sample(rho)
        assert torch.equal(own.time, build_time_sampler(CASES["vpsde"], weighting, "is").sample(rho).time)
        assert not torch.equal(
            own.vae_weight, build_time_sampler(CASES["vpsde"], weighting, "is").sample(rho).vae_weight
        )


@every_sampler
def test_published_weights_differ_by_the_documented_constants(name, weighting, time):
    sde, rho = CASES[name], torch.linspace(0.01, 0.99, 21, dtype=torch.float64)
    exact = build_time_sampler(sde, weighting, time).sample(rho)
    published = build_time_sampler(sde, weighting, time, official_weights=True).sample(rho)
    assert torch.equal(exact.time, published.time)
    factor = 1 / (1 - sde.time_eps) if time == "uniform" else 1.0
    if time == "is" and weighting == "un" and name.split(",")[0] in ("vpsde", "sub_vpsde"):
        factor = 1.002264
    vae_ratio, prior_ratio = published.vae_weight / exact.vae_weight, published.prior_weight / exact.prior_weight
    torch.testing.assert_close(vae_ratio, torch.full_like(rho, factor), rtol=5e-7, atol=0)
    torch.testing.assert_close(prior_ratio / vae_ratio, torch.full_like(rho, 2.0 if weighting == "un" else 1.0))


@every_sampler
def test_single_precision_draws(name, weighting, time):
    sampler = build_time_sampler(CASES[name], weighting, time)
    rho = torch.tensor([0.0, 2**-24, 0.1, 0.5, 0.9, 1 - 2**-24])
    single, double = sampler.sample(rho), sampler.sample(rho.double())
    for attribute in ("time", "prior_weight", "vae_weight"):
        value = getattr(single, attribute)
        assert value.shape == rho.shape
        assert value.dtype == torch.float32
        assert torch.isfinite(value).all()
        torch.testing.assert_close(value.double(), getattr(double, attribute), rtol=1e-6, atol=0)
    t = times(CASES[name], 201).float()
    # A float32 time_eps may lie an ulp outside the interval.
    torch.testing.assert_close(
        sampler.proposal.density(t).double(), sampler.proposal.density(t.double()), rtol=1e-5, atol=0
    )


UNDEFINED = [
    (name, w) for name, sde in CASES.items() for w in WEIGHTINGS if w != "rescale" and not is_defined(sde, w, "is")
]  # by design: r_un of the geometric SDE


def test_the_only_undefined_combination_is_r_un_of_the_geometric_sde():
    assert {(type(CASES[name]), w) for name, w in UNDEFINED} == {(GeometricVPSDE, "un")}


@pytest.mark.parametrize(("name", "weighting"), [*UNDEFINED, *((name, "rescale") for name in CASES if name != "vesde")])
def test_undefined_combinations_are_refused(name, weighting):
    message = rf"objective\.time = is with objective\.weighting = {weighting}.*uniform"
    with pytest.raises(ConfigError, match=message):
        build_time_sampler(CASES[name], weighting, "is")


@pytest.mark.parametrize("time", TIMES)
def test_the_rescaled_objective_needs_a_variance_below_one(time):
    with pytest.raises(ConfigError, match=r"objective\.weighting = rescale.*VESDE"):
        build_time_sampler(CASES["vesde"], "rescale", time)


@pytest.mark.parametrize("name", [name for name, weighting, _ in SAMPLERS if weighting == "rescale"])
def test_the_rescaled_weight_keeps_its_digits(name):
    """1 - variance is 4e-5 and less at t = 1; in single precision it must come without subtraction."""
    sde, t = CASES[name], times(CASES[name], start=0.5)
    exact = WEIGHTINGS["rescale"](sde, t)
    torch.testing.assert_close(exact * (1 - sde.variance(t)), torch.ones_like(t), rtol=1e-11, atol=0)
    torch.testing.assert_close(WEIGHTINGS["rescale"](sde, t.float()).double(), exact, rtol=2e-6, atol=0)


@pytest.mark.parametrize("name", ["vpsde", "geometric"])
def test_the_rescaled_loss_of_a_standard_normal_is_flat(name):
    rho = torch.linspace(0, 1, 101, dtype=torch.float64)
    sample = build_time_sampler(CASES[name], "rescale", "uniform").sample(rho)
    terms = sample.prior_weight * normal_error(CASES[name], sample.time, variance=1.0)
    expected = 0.5 * (1 - CASES[name].time_eps)
    # The geometric latents are standard normal up to sigma2_0 = 3e-5.
    torch.testing.assert_close(terms, torch.full_like(terms, expected), rtol=1e-3, atol=0)


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match=r"objective\.weighting = 'snr'.*ll, un, re"):
        build_time_sampler(CASES["vpsde"], "snr", "is")
    with pytest.raises(ConfigError, match=r"objective\.time = 'sobol'.*uniform, is"):
        build_time_sampler(CASES["vpsde"], "ll", "sobol")


def test_a_flat_noise_rate_is_refused_where_r_un_loses_its_digits():
    sde = build_sde(SdeConfig(beta_start=19.0, beta_end=20.0))
    with pytest.raises(ConfigError, match=r"sde\.beta_start \(19\.0\).*uniform"):
        build_time_sampler(sde, "un", "is")
