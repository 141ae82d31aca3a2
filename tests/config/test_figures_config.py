"""Settings of the figures: they redo nothing that a table needs."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from lsgm.config import DataConfig, ExperimentConfig, FiguresConfig, Stage


def test_they_belong_to_their_own_stages_only():
    config = ExperimentConfig(name="x", backbone="y", data=DataConfig(name="patches"))
    changed = config.model_copy(update={"figures": FiguresConfig(tolerances=(0.1,), variance_images=5)})
    redone = {stage for stage in get_args(Stage) if config.fingerprint(stage) != changed.fingerprint(stage)}
    assert redone == {"tolerance", "samplers", "variance"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"tolerances": ()},
        {"tolerances": (0.0,)},
        {"num_samples": 1},
        {"variance_times": 0},
        {"evaluations": ()},
        {"evaluations": (5,)},
        {"evaluations": (2,)},
        {"reference_samples": 0},
    ],
)
def test_impossible_values(wrong):
    with pytest.raises(ValidationError):
        FiguresConfig(**wrong)


def test_a_tolerance_stands_once():
    with pytest.raises(ValidationError, match=r"twice: 0\.1, 0\.1"):
        FiguresConfig(tolerances=(0.1, 0.1))


def test_evaluations_stand_once():
    with pytest.raises(ValidationError, match="evaluations names one twice: 8, 8"):
        FiguresConfig(evaluations=(8, 8))


def test_the_reference_is_tighter_than_what_is_compared_with_it():
    with pytest.raises(ValidationError, match=r"reference_tol = 1e-05 must be below .* tightest is 1e-05"):
        FiguresConfig(reference_tol=1e-5)
