"""The thirteen official networks, counted from our experiment files, and the table of them in docs."""

from __future__ import annotations

import json
from functools import cache

import pytest
from models.official_models import PRIORS, TABLE, VAES, OfficialNetwork, count, prior, settings, table, vae

from lsgm.models import NVAE, parameter_counts

IDS = {"ids": lambda network: network.experiments[0]}


@cache
def official_vae(network: OfficialNetwork) -> NVAE:
    return vae(network.experiments[0])


@cache
def prior_size(network: OfficialNetwork) -> int:
    return count(prior(network.experiments[0], network.latent))


@pytest.mark.parametrize("network", VAES, **IDS)
def test_parameters_of_a_vae(network):
    assert count(official_vae(network)) == network.count
    assert official_vae(network).prior_shape == network.latent


@pytest.mark.parametrize("network", PRIORS, **IDS)
def test_parameters_of_a_score_network(network):
    assert prior_size(network) == network.count


def test_experiments_on_one_line_have_one_network():
    for network in VAES:
        assert len({settings(name).vae for name in network.experiments}) == 1
    for network in PRIORS:
        assert len({settings(name).prior for name in network.experiments}) == 1


def test_every_prior_stands_on_the_vae_of_its_latent():
    latents = {name: network.latent for network in VAES for name in network.experiments}
    for network in PRIORS:
        for name in network.experiments:
            backbone = name
            while settings(backbone).backbone is not None:
                backbone = settings(backbone).backbone
            assert latents[backbone] == network.latent


def test_what_a_dry_run_prints_is_the_same():
    sizes = {name: network.count for network in (*VAES, *PRIORS) for name in network.experiments}
    counts = parameter_counts(settings("mnist"), (1, 28, 28))
    assert (counts["vae"], counts["prior"]) == (sizes["mnist_vae"], sizes["mnist"])


def test_official_counts_are_those_of_the_reference_files(reference):
    recorded = json.loads((reference / "f_full_params.json").read_text())["configs"]
    for kind, networks in (("vae", VAES), ("sgm", PRIORS)):
        for network in networks:
            if network.reference is not None:
                assert recorded[network.reference][kind]["total_params"] == network.count


def test_the_table_in_docs_is_up_to_date():
    counts = {name: count(official_vae(network)) for network in VAES for name in network.experiments}
    counts |= {name: prior_size(network) for network in PRIORS for name in network.experiments}
    assert TABLE.read_text(encoding="utf-8") == table(counts), "run: python tests/models/official_models.py"
