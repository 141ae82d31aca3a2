"""Steps of all algorithms, as the package takes them and as published with two full backward passes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from training.gradient_cases import Case, build_case, check_gradients, fresh_regulariser

from lsgm import algorithms
from lsgm.algorithms import StepGradients
from lsgm.bench import naive

CPU = torch.device("cpu")
ALGORITHMS = [("algorithm_1", "ll"), ("algorithm_3", "re"), ("algorithm_2_joint", "re"), ("algorithm_2_disjoint", "re")]
on_algorithms = pytest.mark.parametrize(("algorithm", "weighting"), ALGORITHMS)


def case_of(algorithm: str, weighting: str, time: str = "is", **changes: object) -> Case:
    return build_case(weighting, time, vae_time="is" if algorithm.startswith("algorithm_2") else None, **changes)


def step(case: Case, algorithm: str, module=algorithms, **changes: object) -> StepGradients:
    """One step from fresh power iterations, so that steps can be compared."""
    regularisers = {f"{part}_regulariser": fresh_regulariser(case.model, part) for part in ("vae", "prior")}
    problem = replace(case.problem, **regularisers, **changes)
    return getattr(module, algorithm)(problem, case.x, case.draws, case.weights)


def check_same(case: Case, algorithm: str, **changes: object) -> None:
    found, expected = (step(case, algorithm, module, **changes) for module in (algorithms, naive))
    check_gradients(found.vae, expected.vae, rtol=1e-10)
    check_gradients(found.prior, expected.prior, rtol=1e-10)
    assert found.terms.scalars.keys() == expected.terms.scalars.keys()
    for name, value in expected.terms.scalars.items():
        assert found.terms.scalars[name].item() == pytest.approx(value.item(), rel=1e-12), name
    torch.testing.assert_close(found.terms.nelbo.kl, expected.terms.nelbo.kl, rtol=1e-12, atol=1e-12)
