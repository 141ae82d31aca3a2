"""The multistep sampler's order follows the SDE unless it is given."""

from __future__ import annotations

import pytest

from lsgm.config import ExperimentConfig, SampleConfig, SdeConfig

GEOMETRIC = {"type": "geometric", "sigma2_0": 3.0e-5, "sigma2_min": 3.0e-5, "time_eps": 0.0}
OTHERS = {"name": "a", "data": {"name": "digits"}, "objective": {"weighting": "ll", "time": "uniform"}}


def order_of(sde: dict | SdeConfig, sample: dict | SampleConfig) -> int:
    return ExperimentConfig(**OTHERS, sde=sde, sample=sample).sample.order


@pytest.mark.parametrize(("sde", "order"), [({}, 2), (GEOMETRIC, 3), ({"type": "sub_vpsde"}, 2)])
def test_order_follows_the_process(sde, order):
    assert order_of(sde, {}) == order
    assert order_of(sde, {"order": 1}) == 1


@pytest.mark.parametrize(("sde", "order"), [({}, 2), (GEOMETRIC, 3)])
def test_order_follows_a_process_that_is_an_object(sde, order):
    assert order_of(SdeConfig(**sde), {}) == order
    assert order_of(SdeConfig(**sde), SampleConfig(tol=1e-3)) == order
    assert order_of(sde, SampleConfig(order=1)) == 1


def test_resolved_settings_keep_what_they_say():
    """A model whose saved settings name an order is sampled at that one."""
    config = ExperimentConfig(**OTHERS, sde=GEOMETRIC, sample={"order": 2})
    assert ExperimentConfig.model_validate(config.model_dump()).sample.order == 2
    assert ExperimentConfig.model_validate(config).sample.order == 2
