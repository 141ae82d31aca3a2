"""The sizes that are measured are those of the experiment files, and counted work is what the networks do."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.bench_cases import CPU

from lsgm.bench.networks import ALGORITHMS, PRETRAINING, cifar10, mnist, small
from lsgm.bench.steps import step_flop
from lsgm.config import load_experiment

EXPERIMENTS = Path(__file__).parents[2] / "config" / "experiments"


@pytest.mark.parametrize(
    ("network", "experiment", "way"),
    [(mnist(), "mnist", "algorithm 1"), (cifar10(), "cifar10_best_fid", "algorithm 3")],
    ids=["mnist", "cifar10"],
)
def test_sizes_are_those_of_the_paper(network, experiment, way) -> None:
    published = load_experiment(EXPERIMENTS / f"{experiment}.yaml")
    config = network.config(way)
    assert (config.data, config.vae, config.prior) == (published.data, published.vae, published.prior)
    assert config.objective.algorithm == published.objective.algorithm
    for key in ("sr_coeff_sgm", "sr_coeff_vae", "weight_decay_form", "kl_balance"):
        assert getattr(config.train, key) == getattr(published.train, key)
    if network.prior.num_channels == 256:
        assert config.train.sr_sgm_convs == published.train.sr_sgm_convs


def test_every_way_is_the_algorithm_that_it_is_called() -> None:
    numbers = {way: small().config(way).objective.algorithm for way in ALGORITHMS}
    assert numbers == {
        "algorithm 1": 1,
        "algorithm 2, joint": 2,
        "algorithm 2, disjoint": 2,
        "algorithm 3": 3,
        "prior only": 3,
    }
    assert small().config("algorithm 2, disjoint").objective.disjoint
    assert not small().config("prior only").train.train_vae
    assert small().config(PRETRAINING).is_vae


def test_work_is_counted_by_network_and_pass() -> None:
    network = small()
    flop = {way: step_flop(network, network.config(way, 2), CPU) for way in (PRETRAINING, *ALGORITHMS)}
    vae = flop[PRETRAINING] / 3
    prior = flop["algorithm 3"] / 3 - vae
    assert vae > 1e5
    assert prior > 1e5
    assert flop["algorithm 1"] == flop["algorithm 3"]
    assert flop["algorithm 2, joint"] == flop["algorithm 2, disjoint"] == pytest.approx(3 * vae + 5 * prior)
    assert flop["prior only"] == pytest.approx(vae + 3 * prior)
    assert step_flop(network, network.config(PRETRAINING, 4), CPU) == 2 * flop[PRETRAINING]
