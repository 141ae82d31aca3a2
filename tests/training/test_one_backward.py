"""One backward pass gives what two full ones give (`bench.naive`); test_backward_work.py counts the work.

test_algorithms.py has the losses written out; here are all cells of Table 6, all that enters L_q, and half precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import pytest
import torch
from distributed.training_cases import exact
from torch import Tensor
from training.accumulation_cases import build_stage, gradients_of
from training.gradient_cases import Case, build_case, check_gradients
from training.one_backward_cases import CPU, case_of, check_same, on_algorithms, step

from lsgm import algorithms
from lsgm.bench import naive
from lsgm.time_sampling import TimeSample, build_time_sampler
from lsgm.training.noise import BatchNoise
from lsgm.training.stage import Precision

WEIGHTINGS = {"algorithm_1": ["ll"], "algorithm_3": ["un", "re"], "algorithm_2_joint": ["un", "re", "ll"]}
WEIGHTINGS["algorithm_2_disjoint"] = WEIGHTINGS["algorithm_2_joint"]
CELLS = [
    (algorithm, sde, weighting, time)
    for algorithm, weightings in WEIGHTINGS.items()
    for sde in ("vpsde", "geometric")
    for weighting in weightings
    for time in ("uniform", "is")
    if (sde, weighting, time) != ("geometric", "un", "is")
]


@pytest.mark.parametrize(("algorithm", "sde", "weighting", "time"), CELLS)
def test_every_cell(algorithm, sde, weighting, time):
    case = case_of(algorithm, weighting, time, sde=sde, is_balanced=False)
    for kl_coeff in (0.7,) if algorithm.startswith("algorithm_2") else (0.05, 0.7, 1.0):
        check_same(replace(case, weights=replace(case.weights, kl_coeff=kl_coeff)), algorithm)


@on_algorithms
@pytest.mark.parametrize("is_balanced", [False, True])
def test_flows_scales_and_balanced_groups(algorithm, weighting, is_balanced):
    """A factor for each group is no factor for each sample: there L_q has a pass of its own."""
    case = case_of(algorithm, weighting, num_scales=2, num_flows=1, kl_coeff=0.7, is_balanced=is_balanced)
    assert case.model.vae.num_prior_groups == 2
    check_same(case, algorithm)


@on_algorithms
def test_inactive_channels(algorithm, weighting):
    case = case_of(algorithm, weighting, is_balanced=False)
    inactive = torch.zeros(case.model.prior.shape[0], dtype=torch.bool)
    inactive[::2] = True
    case.model.prior.deactivate(inactive)
    check_same(case, algorithm)


def test_the_published_kappa():
    check_same(case_of("algorithm_1", "ll", kl_coeff=0.7), "algorithm_1", official_kl_coeff=True)


@pytest.mark.parametrize("case", ["algorithm 1", "algorithm 2", "algorithm 2 disjoint", "algorithm 3, balanced"])
def test_in_parts(case):
    """k parts of one pass each are the whole batch in two full passes."""
    with exact():
        stage, plain = build_stage(case, 2), build_stage(case, 1)
        plain._algorithm = getattr(naive, plain._algorithm.__name__)
        found, expected = gradients_of(stage), gradients_of(plain)
    check_gradients(found.vae, expected.vae, rtol=1e-10)
    check_gradients(found.prior, expected.prior, rtol=1e-10)


def in_float32(case: Case) -> Case:
    """The same networks and draws, rounded."""
    draws = case.draws
    case.model.float()
    prior = replace(draws.prior, noise=draws.prior.noise.float(), times=rounded(draws.prior.times))
    return replace(case, x=case.x.float(), draws=BatchNoise([noise.float() for noise in draws.posterior], prior))


def rounded(times: TimeSample) -> TimeSample:
    return TimeSample(*(getattr(times, field.name).float() for field in fields(times)))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("sde", ["vpsde", "geometric"])
def test_rounding_where_the_weights_are_far_apart(sde, precision):
    """At t = 0 lambda_q is 500 and 33,000 times lambda_p; it costs no digit that the two full passes have."""
    case = build_case("re", "uniform", sde=sde, is_balanced=False)
    sampler = build_time_sampler(case.model.prior.sde, "re", "uniform")
    times = sampler.sample(torch.tensor([0.0, 0.01, 0.3, 0.9], dtype=torch.float64))
    case = replace(case, draws=replace(case.draws, prior=replace(case.draws.prior, times=times)))
    assert (times.vae_weight / times.prior_weight).max() > 500
    exact_step = step(case, "algorithm_3", naive)
    case = in_float32(case)
    modules, kind = (algorithms, naive), Precision(precision, CPU)
    steps = [step(case, "algorithm_3", module, precision=kind) for module in modules]
    found, plain = (deviation(each.vae, exact_step.vae) for each in steps)
    assert found < 1.5 * plain < 0.03


def deviation(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    found, expected = (torch.cat([part.double().flatten() for part in parts]) for parts in (found, expected))
    return ((found - expected).norm() / expected.norm()).item()


@on_algorithms
def test_the_loss_scale_stays_on_the_gradients(algorithm, weighting):
    case = case_of(algorithm, weighting, is_balanced=False)
    results = []
    for scale in (1.0, 1024.0):
        precision = Precision("float32", CPU)
        precision.scale = scale
        results.append(step(case, algorithm, precision=precision))
    plain, scaled = results
    for part in ("vae", "prior"):
        pairs = zip(getattr(plain, part), getattr(scaled, part), strict=True)
        assert all(torch.equal(1024 * left, right) for left, right in pairs)
    assert all(torch.equal(value, scaled.terms.scalars[name]) for name, value in plain.terms.scalars.items())


@on_algorithms
def test_without_gradients_there_are_terms(algorithm, weighting):
    case = case_of(algorithm, weighting)
    with torch.no_grad():
        found = step(case, algorithm)
    assert found.vae == found.prior == ()
    assert found.terms.scalars.keys() == step(case, algorithm).terms.scalars.keys()


def with_weights(case: Case, prior: float, vae: float | None = None) -> Case:
    """The first sample's lambda_p, and lambda_q, set."""
    times = case.draws.prior.times
    prior_weight, vae_weight = times.prior_weight.clone(), times.vae_weight.clone()
    prior_weight[0], vae_weight[0] = prior, vae_weight[0] if vae is None else vae
    times = replace(times, prior_weight=prior_weight, vae_weight=vae_weight)
    return replace(case, draws=replace(case.draws, prior=replace(case.draws.prior, times=times)))


def test_a_sample_that_neither_loss_weighs():
    """As where g(t) = 0: no gradient comes from it, and the others' are as they were."""
    check_same(with_weights(build_case("re", "is", is_balanced=False), 0.0, 0.0), "algorithm_3")


@pytest.mark.parametrize("weight", [0.0, torch.nan, torch.inf])
def test_weights_that_cannot_be_reweighted_are_not_hidden(weight):
    found = step(with_weights(build_case("re", "is", is_balanced=False), weight), "algorithm_3")
    assert not all(gradient.isfinite().all() for gradient in found.vae)
