"""Steps of known networks: the naive baseline is the same step, sizes are the paper's, and work is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lsgm import randomness
from lsgm.bench.naive import make_naive
from lsgm.bench.networks import ALGORITHMS, PRETRAINING, WAYS, cifar10, mnist, small
from lsgm.bench.step import Case, bare_step, build_stage, peak_mb, peak_resident_mb, step_flop
from lsgm.config import load_experiment

CPU = torch.device("cpu")
SMALL = small()
DRY = replace(SMALL, prior=SMALL.prior.model_copy(update={"dropout": 0.0, "mixing_logit_init": 0.0}))


@pytest.fixture
def in_float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def pair(way: str):
    """A stage (algorithm 1 as published) and the same one made naive, no layer left at zero, and inputs for both."""
    case = Case(DRY, way, 3, CPU, options={"warmup_epochs": 0}, is_naive=True)
    stages = [build_stage(case) for _ in range(2)]
    for index, parameter in enumerate(parameters(stages[0]) + parameters(stages[1])):
        if parameter.ndim > 1 and not parameter.any():
            parameter.data.add_(0.1 * randomness.normal(parameter.shape, index % len(parameters(stages[0])), "test"))
    make_naive(stages[1], case.config.train.ema_decay)
    inputs = stages[0].inputs(0)
    return *stages, replace(inputs, x=inputs.x.to(torch.get_default_dtype()))


def parameters(stage) -> list[torch.nn.Parameter]:
    return [parameter for network in stage.networks.values() for parameter in network.parameters()]


@pytest.mark.parametrize("way", WAYS)
def test_gradients_are_the_same(in_float64, way: str) -> None:
    stage, naive, inputs = pair(way)
    own, other = (each.gradients(inputs, 0) for each in (stage, naive))
    for name, branch in stage.branches.items():
        found, expected = getattr(own, name), getattr(other, name)
        total = torch.stack([gradient.norm() for gradient in expected]).norm()
        assert total > 1e-2
        for left, right, _ in zip(found, expected, branch.parameters, strict=True):
            assert (left - right).norm() <= 1e-10 * (right.norm() + 1e-3 * total)


@pytest.mark.parametrize("way", [PRETRAINING, "algorithm 3", "prior only"])
def test_updates_are_the_same(in_float64, way: str) -> None:
    stage, naive, inputs = pair(way)
    before = [parameter.detach().clone() for parameter in parameters(naive)]
    for step in range(2):
        bare_step(stage, inputs, step)
        bare_step(naive, inputs, step)
    for left, right in zip(parameters(stage), parameters(naive), strict=True):
        torch.testing.assert_close(left.data, right.data, rtol=1e-8, atol=1e-10)
    assert sum(not torch.equal(old, new) for old, new in zip(before, parameters(naive), strict=True)) > 10


def test_the_naive_baseline_takes_one_parameter_after_the_other() -> None:
    stage, naive, _ = pair("algorithm 3")
    for branch in naive.branches.values():
        (group,) = branch.optimiser.param_groups
        assert len(group["params"]) == len(branch.parameters) > 10
        assert not (group["foreach"] or group["fused"])
        assert branch.flat.untyped_storage().nbytes() == 0
    assert naive._algorithm.__module__ == "lsgm.bench.naive" != stage._algorithm.__module__


@pytest.mark.parametrize(("experiment", "way"), [("mnist", "algorithm 1"), ("cifar10_best_fid", "algorithm 3")])
def test_sizes_are_those_of_the_paper(experiment: str, way: str) -> None:
    published = load_experiment(Path(__file__).parents[2] / "config" / "experiments" / f"{experiment}.yaml")
    config = (mnist() if experiment == "mnist" else cifar10()).config(way)
    assert (config.data, config.vae, config.prior) == (published.data, published.vae, published.prior)
    assert config.objective.algorithm == published.objective.algorithm
    for key in ("sr_coeff_sgm", "sr_coeff_vae", "sr_sgm_convs", "weight_decay_form", "kl_balance"):
        assert getattr(config.train, key) == getattr(published.train, key), key


def test_work_is_counted_by_network_and_pass() -> None:
    flop = {way: step_flop(Case(SMALL, way, 2, CPU)) for way in WAYS}
    vae = flop[PRETRAINING] / 3
    prior = flop["algorithm 3"] / 3 - vae
    assert min(vae, prior) > 1e5
    assert flop["algorithm 1"] == flop["algorithm 3"]
    assert flop["algorithm 2, joint"] == flop["algorithm 2, disjoint"] == pytest.approx(3 * vae + 5 * prior)
    assert flop["prior only"] == pytest.approx(vae + 3 * prior)
    assert step_flop(Case(SMALL, PRETRAINING, 4, CPU)) == 2 * flop[PRETRAINING]
    assert [SMALL.config(way).objective.algorithm for way in ALGORITHMS] == [1, 2, 2, 3, 3]


def test_peak_memory_is_that_of_a_process_of_its_own(tmp_path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmHWM:\t  250000 kB\nVmRSS:\t 1 kB\n")
    assert peak_resident_mb(status) == 256.0
    assert peak_resident_mb(tmp_path / "none") is None
    if peak_resident_mb() is not None:
        assert 50 < peak_mb(Case(SMALL, "algorithm 3", 2, CPU, is_naive=True)) < 5000
