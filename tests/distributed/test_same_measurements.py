"""Several processes sample and evaluate what one does, to the last bit; batch norms see the global batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from distributed.evaluation_cases import everything, measurements, normalised
from distributed.processes import on_processes


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return on_processes(2, everything, tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def one(tmp_path_factory, one_thread):
    return measurements(tmp_path_factory.mktemp("one"))


@pytest.mark.parametrize("solver", ["ode", "ancestral"])
def test_images_are_the_same_and_lie_in_the_first_process(one, two, solver):
    first, second = (found["measured"][solver] for found in two)
    assert torch.equal(first[0], one[solver][0])
    assert second[0] is None
    assert first[1:] == second[1:] == one[solver][1:]


@pytest.mark.parametrize("quantity", ["nelbo", "bound"])
def test_likelihoods_are_the_same_in_every_process(one, two, quantity):
    for found in two:
        assert torch.equal(found["measured"][quantity][0], one[quantity][0])
        assert found["measured"][quantity][1:] == one[quantity][1:]


@pytest.mark.parametrize("parts", [1, 3])
def test_features_are_pooled(one, two, parts):
    for found in two:
        assert found["measured"][f"frechet {parts}"] == one[f"frechet {parts}"]
    assert one["frechet 1"]["value"] != one["frechet 3"]["value"]


def test_the_first_batch_that_fails_is_told_by_all(one, two):
    assert one["error"] == "images from 3 on are not finite"
    assert [found["measured"]["error"] for found in two] == [one["error"]] * 2


def test_batch_norm_over_processes_is_batch_norm_of_the_whole_batch(two):
    expected = normalised(None)
    for found in two:
        assert found["normalised"].keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found["normalised"][name], value, rtol=1e-8, atol=1e-12, msg=name)
    first, second = (found["normalised"] for found in two)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_only_the_first_process_says_how_far_it_is(two):
    first, second = (found["told"] for found in two)
    assert [line.split(" in ")[0] for line in first] == ["batches: 1 of 3", "batches: 2 of 3"]
    assert second == []


def test_without_synchronisation_it_is_not(two):
    assert not torch.equal(two[0]["unsynchronised"], two[1]["unsynchronised"])


def test_one_process_is_the_case_of_size_one(tmp_path: Path):
    from lsgm import distributed

    values = torch.ones(2, requires_grad=True)
    assert (distributed.rank(), distributed.size(), distributed.is_first()) == (0, 1, True)
    assert distributed.mean(values) is values
    assert distributed.same_rows(7, "key") == slice(0, 7)
