"""Settings of the predictor-corrector sampler: what is refused, and no reason to redo what came before them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from lsgm.config import SampleConfig, load_experiment

CONFIG = Path(__file__).parents[2] / "config"
KEYS = {"corrector_steps", "corrector_snr"}


@pytest.mark.parametrize("solver", SampleConfig.model_fields["solver"].annotation.__args__)
def test_the_defaults_leave_fingerprints_alone(solver):
    assert not KEYS & SampleConfig(solver=solver).model_dump(mode="json").keys()


@pytest.mark.parametrize("change", [{"corrector_steps": 0}, {"corrector_snr": 0.1}])
def test_other_values_are_kept_and_change_the_samples(change):
    config = SampleConfig(solver="predictor_corrector", **change)
    assert SampleConfig.model_validate(config.model_dump(mode="json")) == config
    words = [f"sample.{key}={value}" for key, value in change.items()]
    plain, changed = (
        load_experiment(CONFIG / "experiments" / "mnist.yaml", overrides=["sample.solver=predictor_corrector", *more])
        for more in ([], words)
    )
    assert plain.fingerprint("sample") != changed.fingerprint("sample")
    assert plain.fingerprint("train") == changed.fingerprint("train")


@pytest.mark.parametrize("change", [{"corrector_steps": -1}, {"corrector_snr": 0.0}, {"corrector_snr": 1.0}])
def test_steps_that_cannot_be_taken_are_refused(change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        SampleConfig(solver="predictor_corrector", **change)


@pytest.mark.parametrize("sde", ["vpsde", "geometric", "sub_vpsde", "vesde"])
def test_every_sde_is_taken(sde):
    words = [f"sde.type={sde}", "sde.sigma2_0=3e-5", "sample.solver=predictor_corrector"]
    assert load_experiment(CONFIG / "experiments" / "mnist.yaml", overrides=words).sample.num_steps == 1000


def test_results_say_how_many_steps_of_which_kind():
    config = SampleConfig(solver="predictor_corrector", num_steps=500, corrector_steps=2)
    assert config.solver_words == "predictor-corrector, 500 steps of 1 + 2 evaluations, signal-to-noise ratio 0.16"
    config = SampleConfig(solver="predictor_corrector", corrector_steps=0)
    assert config.solver_words == "predictor-corrector, 1000 steps without corrector"
