"""The rescue: on by default, off for the ablation, and no reason to redo what was computed before it existed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from lsgm.config import PretrainConfig, RescueConfig, TrainConfig, load_experiment

CONFIG = Path(__file__).parents[2] / "config"


def test_on_by_default_and_off_for_a_faithful_ablation():
    assert TrainConfig().rescue.rollbacks == PretrainConfig().rescue.rollbacks == 3
    cell = load_experiment(CONFIG / "experiments" / "ablation.yaml", CONFIG / "scales" / "demo.yaml", "vpsde-un-is-rew")
    assert cell.train.rescue.rollbacks == 0
    assert cell.model_dump(mode="json")["train"]["rescue"]["rollbacks"] == 0


@pytest.mark.parametrize("kind", [TrainConfig, PretrainConfig])
def test_the_defaults_leave_fingerprints_alone(kind):
    """They change nothing for a run that stays finite, and are so left out of what is hashed."""
    assert not {"rescue", "result"} & kind().model_dump(mode="json").keys()
    changed = kind(rescue=RescueConfig(rollbacks=1), result="best")
    assert kind.model_validate(changed.model_dump(mode="json")) == changed


@pytest.mark.parametrize("changes", [{"rollbacks": -1}, {"lr_factor": 0}, {"lr_factor": 1.5}, {"sr_factor": 0.5}])
def test_factors_that_make_it_worse_are_refused(changes):
    with pytest.raises(ValidationError):
        RescueConfig(**changes)
