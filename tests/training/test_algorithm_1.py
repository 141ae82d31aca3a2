"""Algorithm 1: the prior's gradient is that of its own loss, whatever kl_coeff; or, as the authors', that of L_q."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from training.gradient_cases import (
    SDES,
    Case,
    backward,
    build_case,
    check_gradients,
    fresh_regulariser,
    prior_loss,
    vae_loss,
)
from training.small_run import Recorder, backbone, blocks, folder, run_config, train_settings

from lsgm import algorithms
from lsgm.algorithms import StepGradients
from lsgm.config import KlSchedule, ObjectiveConfig
from lsgm.training import train

NETWORKS = {"vpsde, one scale": {}} | {sde: {"sde": sde, "num_scales": 2, "num_flows": 1} for sde in SDES}
# kl_coeff, and whether the groups are balanced, which they are only while kl_coeff is below 1.
WEIGHTS = [(0.85, False), (1.0, True), (1.7, True), (0.85, True), (0.05, False), (0.0, False), (0.0, True)]


def step(case: Case, is_official: bool = False, scale: float = 1.0) -> StepGradients:
    """One step from fresh power iterations, so that steps can be compared."""
    problem = replace(
        case.problem,
        official_kl_coeff=is_official,
        vae_regulariser=fresh_regulariser(case.model, "vae"),
        prior_regulariser=fresh_regulariser(case.model, "prior"),
    )
    problem.precision.scale = scale
    return algorithms.algorithm_1(problem, case.x, case.draws, case.weights)


def own_loss(case: Case) -> torch.Tensor:
    """L_p in full."""
    draw = case.draws.prior
    return prior_loss(case, draw.noise, draw.times) + fresh_regulariser(case.model, "prior")()


def bound(case: Case) -> torch.Tensor:
    return vae_loss(case, case.draws.prior.noise, case.draws.prior.times)


def check_exact(case: Case) -> None:
    result, scalars = step(case), step(case).terms.scalars
    expected = bound(case) + fresh_regulariser(case.model, "vae")()
    assert scalars["loss_vae"].item() == pytest.approx(expected.item(), rel=1e-12)
    check_gradients(result.vae, backward(expected, case.problem.vae_parameters))
    expected = own_loss(case)
    assert scalars["loss_prior"].item() == pytest.approx(expected.item(), rel=1e-12)
    check_gradients(result.prior, backward(expected, case.problem.prior_parameters))


@pytest.mark.parametrize("network", NETWORKS)
def test_on_every_network(network):
    check_exact(build_case("ll", "is", is_balanced=False, **NETWORKS[network]))


@pytest.mark.parametrize(("kl_coeff", "is_balanced"), WEIGHTS)
def test_whatever_the_weights_of_the_bound(kl_coeff, is_balanced):
    check_exact(build_case("ll", "is", kl_coeff=kl_coeff, is_balanced=is_balanced, num_scales=2))


@pytest.mark.parametrize(("kl_coeff", "is_balanced"), [(0.85, False), (0.85, True), (0.0, False)])
def test_official_kappa_anneals_the_prior_too(kl_coeff, is_balanced):
    case = build_case("ll", "is", kl_coeff=kl_coeff, is_balanced=is_balanced)
    result = step(case, is_official=True)
    check_gradients(result.vae, step(case).vae)
    regulariser = fresh_regulariser(case.model, "prior")()
    check_gradients(result.prior, backward(bound(case) + regulariser, case.problem.prior_parameters))
    whole = bound(case) + fresh_regulariser(case.model, "vae")() + fresh_regulariser(case.model, "prior")()
    assert result.terms.scalars["loss_vae"].item() == pytest.approx(whole.item(), rel=1e-12)
    assert "loss_prior" not in result.terms.scalars


def test_both_are_the_same_without_annealing():
    case = build_case("ll", "is", kl_coeff=1.0)
    exact, official = step(case), step(case, is_official=True)
    for part in ("vae", "prior"):
        pairs = zip(getattr(exact, part), getattr(official, part), strict=True)
        assert all(torch.equal(left, right) for left, right in pairs)


@pytest.mark.parametrize(("kl_coeff", "is_balanced"), WEIGHTS[:1] + WEIGHTS[3:4])
def test_it_is_algorithm_3_with_the_weights_of_the_likelihood(kl_coeff, is_balanced):
    case = build_case("ll", "is", kl_coeff=kl_coeff, is_balanced=is_balanced)
    result = step(case)
    expected = algorithms.algorithm_3(case.problem, case.x, case.draws, case.weights)
    check_gradients(result.vae, expected.vae)
    check_gradients(result.prior, expected.prior)


@pytest.mark.parametrize(("kl_coeff", "is_balanced"), WEIGHTS[:1] + WEIGHTS[3:4])
def test_the_loss_scale_stays_on_the_gradients(kl_coeff, is_balanced):
    case = build_case("ll", "is", kl_coeff=kl_coeff, is_balanced=is_balanced)
    plain, scaled = step(case), step(case, scale=1024.0)
    pairs = zip((*plain.vae, *plain.prior), (*scaled.vae, *scaled.prior), strict=True)
    assert all(torch.equal(1024 * left, right) for left, right in pairs)
    assert all(torch.equal(value, scaled.terms.scalars[name]) for name, value in plain.terms.scalars.items())


def test_the_setting_reaches_the_algorithm(tmp_path):
    """With kl_coeff 0.7 at first and no regulariser, the authors' gradient of the prior is 0.7 times its own."""
    norms = {}
    for is_official in (False, True):
        objective = ObjectiveConfig(weighting="ll", time="is", official_kl_coeff=is_official)
        annealing = KlSchedule(start=0.7, anneal_portion=1.0)
        settings = train_settings(epochs=1, log_every=1, kl=annealing, sr_coeff_sgm=0.0, sr_coeff_vae=0.0)
        config, recorder = run_config(objective=objective, train=settings), Recorder()
        train(config, blocks(), backbone(config), folder(tmp_path, str(is_official)), reporter=recorder)
        norms[is_official] = recorder.records[0]
    assert norms[True]["kl_coeff"] == 0.7
    assert norms[True]["grad_norm_prior"] == pytest.approx(0.7 * norms[False]["grad_norm_prior"], rel=1e-5)
    assert norms[True]["grad_norm_vae"] == pytest.approx(norms[False]["grad_norm_vae"], rel=1e-5)
