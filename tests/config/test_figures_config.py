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


def test_those_of_the_cost_belong_to_its_stage_only():
    config = ExperimentConfig(name="x", backbone="y", data=DataConfig(name="patches"))
    for changes in ({"cost_batch_size": 16}, {"cost_samplers": ({"solver": "heun"},)}):
        changed = config.model_copy(update={"figures": FiguresConfig(**changes)})
        redone = {stage for stage in get_args(Stage) if config.fingerprint(stage) != changed.fingerprint(stage)}
        assert redone == {"cost"}
        assert ExperimentConfig.model_validate(changed.model_dump(mode="json")) == changed
    more = config.model_copy(update={"figures": FiguresConfig(num_samples=10)})
    assert more.fingerprint("cost") != config.fingerprint("cost")


def test_those_of_the_cost_are_in_no_file_that_was_saved_without_them():
    assert not any(key.startswith("cost") for key in FiguresConfig().model_dump(mode="json"))


@pytest.mark.parametrize(
    ("samplers", "words"),
    [
        (({"tol": 1e-3},), "has no `solver`"),
        (({"solver": "ode", "tool": 1e-3},), "'tool' is none of solver, tol, "),
        (({"solver": "ode", "batch_size": 3},), "'batch_size' is none of"),
        (({"solver": "ode"}, {"solver": "heun"}, {"solver": "ode"}), "names {'solver': 'ode'} twice"),
    ],
)
def test_impossible_samplers(samplers, words):
    with pytest.raises(ValidationError, match=words):
        FiguresConfig(cost_samplers=samplers)


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
        {"cost_samplers": ()},
        {"cost_batch_size": 0},
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
