"""k parts give the gradients, terms and power iterations of the whole batch.

Batch norms are frozen where the whole is compared with its parts: in training mode each part has its own statistics.
"""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from distributed.training_cases import exact
from training.accumulation_cases import CASES, STEP, Stage, build_stage, gradients_of, norms_of
from training.gradient_cases import check_gradients
from training.small_run import BATCH, Recorder, blocks, pretrain_settings, run_config, train_settings

from lsgm import algorithms
from lsgm.algorithms import StepGradients
from lsgm.config import ConfigError, ExperimentConfig, PretrainConfig, TrainConfig
from lsgm.config.load import validate
from lsgm.training import pretrain, read_curve


def spectral_state(stage: Stage) -> dict[str, torch.Tensor]:
    states = {name: part.state_dict() for name, part in stage.parts.items() if name.endswith("_regulariser")}
    return {f"{name} {key}": left for name, state in states.items() for key, left in state.get("left", {}).items()}


def check_terms(found: StepGradients, expected: StepGradients) -> None:
    assert found.terms.scalars.keys() == expected.terms.scalars.keys()
    for name, value in expected.terms.scalars.items():
        assert found.terms.scalars[name].item() == pytest.approx(value.item(), rel=1e-11), name
    bounds = found.terms.nelbo, expected.terms.nelbo
    torch.testing.assert_close(bounds[0].reconstruction, bounds[1].reconstruction, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(bounds[0].kl, bounds[1].kl, rtol=1e-10, atol=1e-11)
    assert torch.equal(bounds[0].active_channels(), bounds[1].active_channels())


@pytest.mark.parametrize("case", CASES)
def test_parts_are_the_whole(case):
    with exact():
        stages = [build_stage(case, parts) for parts in (1, 2, 4)]
        expected, *others = (gradients_of(stage) for stage in stages)
    for stage, found in zip(stages[1:], others, strict=True):
        for part in ("vae", "prior"):
            whole, sums = getattr(expected, part), getattr(found, part)
            assert (whole is None) == (sums is None)
            if whole is not None:
                assert whole[0].dtype == torch.float64
                check_gradients(sums, whole, rtol=1e-10)
        check_terms(found, expected)
        # The power iterations went on once a step, whatever the number of parts.
        states = spectral_state(stages[0]), spectral_state(stage)
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(left, states[1][key]) for key, left in states[0].items())


def test_coefficients_of_each_part_would_be_wrong():
    """KL balancing is where parts meet; the case above would not notice it if all parts had the same statistics."""
    with exact():
        whole, stage = build_stage("pretraining", 1), build_stage("pretraining", 4)
        with mock.patch.object(type(stage._accumulation), "_coefficients", lambda *words: None):
            found = gradients_of(stage)
        expected = gradients_of(whole)
    total = torch.cat([gradient.flatten() for gradient in expected.vae])
    difference = torch.cat([gradient.flatten() for gradient in found.vae]) - total
    assert difference.norm() > 1e-4 * total.norm()


@pytest.mark.parametrize("case", ["algorithm 3", "algorithm 2 disjoint, balanced"])
def test_dropout_masks_are_drawn_for_every_part_anew_and_kept_in_a_second_pass(case):
    with exact():
        first, again = (gradients_of(build_stage(case, 2, dropout=0.5)) for _ in range(2))
        whole = gradients_of(build_stage(case, 1, dropout=0.5))
        no_dropout = gradients_of(build_stage(case, 1))
    assert all(torch.equal(left, right) for left, right in zip(first.prior, again.prior, strict=True))
    for other in (whole, no_dropout):
        assert not all(torch.allclose(left, right) for left, right in zip(first.prior, other.prior, strict=True))


def test_one_pass_is_made_where_nothing_is_balanced(monkeypatch):
    rows = []
    original = algorithms.algorithm_3
    monkeypatch.setattr(
        algorithms, "algorithm_3", lambda problem, x, *rest: rows.append(len(x)) or original(problem, x, *rest)
    )
    for case in ("algorithm 3", "algorithm 3, balanced"):
        gradients_of(build_stage(case, 4))
    assert rows == [BATCH // 4] * 12


@pytest.mark.parametrize("case", ["pretraining", "pretraining, not balanced"])
def test_batch_norms_see_the_parts(case):
    """Running statistics move as they would at a batch k times smaller; a pass for coefficients moves nothing."""
    with exact():
        stage, expected = build_stage(case, 2, is_frozen=False), build_stage(case, 1, is_frozen=False).vae
        inputs = stage.inputs(STEP)
        gradients_of(stage)
        with torch.no_grad():
            for part in inputs.split(2):
                expected(part.x, part.noise.posterior)
    assert all(norm.track_running_stats for norm in norms_of(stage.vae))
    state = stage.vae.state_dict()
    moved = {name: value for name, value in expected.state_dict().items() if "running" in name or "tracked" in name}
    assert moved
    assert all(torch.equal(state[name], value) for name, value in moved.items())


@pytest.mark.parametrize(("section", "model"), [("pretrain", PretrainConfig), ("train", TrainConfig)])
def test_a_batch_that_cannot_be_split_is_refused(section, model):
    message = rf"^a.yaml: {section}\.accumulate = 3 does not divide {section}\.batch_size = 8; take a divisor$"
    with pytest.raises(ConfigError, match=message):
        validate(model, {"batch_size": 8, "accumulate": 3}, "a.yaml")


def test_a_setting_that_does_nothing_leaves_fingerprints_alone():
    plain, same, other = (
        run_config(train=train_settings(**given)) for given in ({}, {"accumulate": 1}, {"accumulate": 2})
    )
    assert "accumulate" not in plain.model_dump(mode="json")["train"]
    assert plain.fingerprint("train") == same.fingerprint("train") != other.fingerprint("train")
    assert ExperimentConfig.model_validate(other.model_dump(mode="json")) == other


def test_the_curve_of_a_run_in_parts(tmp_path):
    """Without batch norm in training mode only rounding is left; here the first step's losses show it."""
    curves = []
    for parts in (1, 4):
        work = tmp_path / str(parts)
        work.mkdir()
        settings = pretrain_settings(epochs=1, log_every=1, accumulate=parts, kl_balance=False)
        result = pretrain(run_config(pretrain=settings), blocks(), work, reporter=Recorder())
        curves.append(read_curve(work / "curves.jsonl"))
        assert (result.status, result.skipped_updates) == ("ok", 0)
    assert [sorted(record) for record in curves[0]] == [sorted(record) for record in curves[1]]
    first, other = curves[0][0], curves[1][0]
    assert other["regulariser_vae"] == pytest.approx(first["regulariser_vae"], rel=1e-5)
    assert other["loss_vae"] != first["loss_vae"]
