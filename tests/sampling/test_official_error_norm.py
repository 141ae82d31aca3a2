"""The parity switch with which one error norm decides about the steps of a whole batch, as in the authors' solver."""

from __future__ import annotations

import pytest
import torch
from toy_gaussian import GaussianPrior, sde_named

from lsgm.config import SampleConfig
from lsgm.randomness import normal
from lsgm.sampling import integrate, sample_ode, sample_prior

SHAPE = (2, 3, 3)


class TimedPrior(GaussianPrior):
    """Keeps the times of each call."""

    def __call__(self, z, t):
        self.times = [*getattr(self, "times", []), t]
        return super().__call__(z, t)


def prior() -> TimedPrior:
    mean, variance = (normal((1, *SHAPE), 1, what).double() for what in ("mean", "variance"))
    return TimedPrior(sde_named("vpsde"), mean, 0.2 + variance**2)


def noises() -> torch.Tensor:
    """The third is far out, which makes it dear."""
    noise = normal((4, *SHAPE), 1, "noise")
    noise[2] *= 50
    return noise


def settings(official: bool) -> SampleConfig:
    return SampleConfig(tol=1e-5, official_error_norm=official)


def test_all_samples_take_the_same_steps_with_the_switch_and_only_then():
    official, own = prior(), prior()
    together = sample_prior(official, noises(), settings(True))
    assert all((times == times[0]).all() and len(times) == 4 for times in official.times)
    assert together.evaluations is None and together.nfe == together.nfe_per_sample == official.calls
    apart = sample_prior(own, noises(), settings(False))
    assert any((times != times[0]).any() for times in own.times) and len(own.times[-1]) < 4
    assert apart.nfe == own.calls == apart.evaluations.max() and apart.nfe_per_sample < apart.nfe
    assert apart.nfe_per_sample == pytest.approx(apart.evaluations.double().mean().item())
    exact = own.flow(noises().double(), 1.0, 1e-5)
    for found in (together, apart):
        torch.testing.assert_close(found.latent, exact, rtol=1e-3, atol=1e-3)


def test_neighbours_matter_with_the_switch_and_not_without():
    for official in (True, False):
        whole = sample_ode(prior(), noises(), settings(official)).latent[:2]
        part = sample_ode(prior(), noises()[:2], settings(official)).latent
        assert torch.equal(whole, part) is not official


def test_it_is_the_solver_with_a_norm_over_the_batch(monkeypatch):
    seen = []

    def watched(rhs, state, start, end, tol):
        seen.append((start, end, tol))
        return integrate(rhs, state, start, end, tol)

    monkeypatch.setattr("lsgm.sampling.ode.integrate", watched)
    sample_ode(prior(), noises(), settings(False))
    assert not seen
    sample_ode(prior(), noises(), settings(True))
    assert seen == [(1.0, 1e-5, 1e-5)]
