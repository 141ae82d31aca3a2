"""The comparison itself, on invented vectors: what it lets pass and what not."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from parity.case import Case, Match
from parity.comparison import compare, deviation
from parity.report import report
from parity.vectors import Vectors, files_of

EXACT = np.array([1.0, -2.0, 1e-3])


@pytest.fixture
def vectors(tmp_path: Path) -> Vectors:
    arrays = {
        "a__f64": EXACT,
        "a__f32": (EXACT * (1 + 1e-4)).astype(np.float32),  # rounding has spoilt it
        "held__f64": EXACT.astype(np.float32),
        "b__f32": EXACT.astype(np.float32),
        "count": np.array([3, 4]),
        "edge__f64": np.array([math.inf, 1.0]),
    }
    np.savez(tmp_path / "toy.npz", **arrays)
    record = {"results": {"f64": {"loss": 2.5, "grads": {"w": [1.0, 0.5]}}}, "configs": {"n": {"params": {"w": [3]}}}}
    (tmp_path / "toy.json").write_text(json.dumps(record))
    return Vectors(tmp_path, "toy")


def outcome(vectors: Vectors, key: str, ours: object, **settings: object):
    (found,) = compare(Case("toy", "toy", key, lambda _: {key: ours}, **settings), vectors)
    return found


def test_numbers_of_the_record_are_values_too(vectors):
    assert vectors.values["results/f64/loss"] == 2.5
    assert vectors.values["results/f64/grads/w"] == [1.0, 0.5]
    assert vectors.values["configs/n/params"] == {"w": [3]}
    assert files_of(vectors.folder) == ["toy"]


@pytest.mark.parametrize(
    ("key", "allowed"), [("a__f64", 1e-9), ("held__f64", 1e-7), ("b__f32", 1e-5), ("results/f64/loss", 1e-9)]
)
def test_tolerances(vectors, key, allowed):
    theirs = torch.as_tensor(vectors.values[key], dtype=torch.float64)
    for factor, agrees in ((0.5, True), (2.0, False)):
        found = outcome(vectors, key, theirs * (1 + factor * allowed))
        assert found.agrees == agrees
        assert found.deviation == pytest.approx(factor * allowed, rel=1e-3)


def test_spoilt_float32_is_replaced_by_its_twin(vectors):
    found = outcome(vectors, "a__f32", torch.from_numpy(EXACT))
    assert (found.agrees, found.deviation) == (True, 0.0)
    assert found.published == pytest.approx(1e-4, rel=1e-3)
    assert outcome(vectors, "a__f32", torch.from_numpy(EXACT) * (1 + 2e-4)).agrees
    assert not outcome(vectors, "a__f32", torch.from_numpy(EXACT) * (1 + 4e-4)).agrees


def test_small_elements_count_only_where_each_is_compared_at_its_own_size(vectors):
    ours = torch.from_numpy(EXACT + np.array([0, 0, 1e-11]))
    assert outcome(vectors, "a__f64", ours).agrees
    assert not outcome(vectors, "a__f64", ours, elementwise=True).agrees
    assert outcome(vectors, "a__f64", Match(ours, sizes=[1, 1, 1e-2])).deviation == pytest.approx(1e-9, rel=1e-3)


def test_what_never_agrees(vectors):
    for wrong in (torch.full((3,), math.nan), torch.zeros(3), torch.zeros(1), torch.zeros(3, 1)):
        assert not outcome(vectors, "a__f64", wrong).agrees
    assert not outcome(vectors, "count", torch.tensor([3, 5])).agrees
    assert not outcome(vectors, "configs/n/params", {"w": [4]}).agrees
    assert outcome(vectors, "count", torch.tensor([3, 4])).agrees


def test_only_finite_elements_of_the_vectors_count(vectors):
    assert outcome(vectors, "edge__f64", torch.tensor([math.nan, 1.0])).agrees
    assert not outcome(vectors, "edge__f64", torch.tensor([math.inf, math.nan])).agrees
    with pytest.raises(ValueError, match="exclusion"):
        deviation(torch.zeros(1), torch.tensor([math.nan]), "f64")


def test_a_case_gives_what_it_claims(vectors):
    values = {"a__f64": torch.from_numpy(EXACT)}
    for keys in ("a__f64|b__f32", "nothing"):
        with pytest.raises(ValueError, match="claimed and computed values differ"):
            compare(Case("toy", "toy", keys, lambda _: values), vectors)


def test_report_names_what_is_outside_the_tolerance(vectors):
    text = report([vectors], [outcome(vectors, "a__f64", torch.from_numpy(2 * EXACT))])
    assert "outside what is allowed: 1." in text
    assert "- toy: toy: `a__f64`, 1.0e+00" in text
