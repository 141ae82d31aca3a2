"""A run killed after any of its steps goes on to the same numbers: every state on the way, the weights, the curve.

Each run is saved after every step and resumed from each of these files, to its end. Its four steps have all kinds of
cuts: at the end of an epoch and of the warm-up (2), at the start of KL annealing (1) and inside it (2, 3), between two
lines of the curve (1, 2) and right after one (3), right after a skipped step (3, where there is one).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from training.saved_runs import LOOP, STEPS, Saved, check_equal, run
from training.small_run import OBJECTIVES, folder, pretrain_settings, run_config, train_settings

from lsgm.data import batches
from lsgm.training import TrainResult, read_curve, stage

BALANCED_PARTS = {"accumulate": 2, "kl_balance": True}
# What a name says beyond the defaults; dropout of the prior is always there.
CASES = {
    "pretraining": {"pretrain": pretrain_settings(**LOOP)},
    "pretraining, bfloat16": {"pretrain": pretrain_settings(**LOOP, precision="bfloat16")},
    "pretraining, float16, parts": {"pretrain": pretrain_settings(**LOOP, precision="float16", accumulate=2)},
    "algorithm 1": {"objective": OBJECTIVES["algorithm 1"], "train": train_settings(**LOOP)},
    "algorithm 2, bfloat16": {
        "objective": OBJECTIVES["algorithm 2"],
        "train": train_settings(**LOOP, precision="bfloat16", weight_decay_form="l2"),
    },
    "algorithm 2 disjoint, parts": {
        "objective": OBJECTIVES["algorithm 2 disjoint"],
        "train": train_settings(**LOOP, **BALANCED_PARTS),
    },
    "algorithm 3, float16, parts": {
        "objective": OBJECTIVES["algorithm 3"],
        "train": train_settings(**LOOP, precision="float16", accumulate=4),
    },
    "frozen, inactive dropped": {"train": train_settings(**LOOP, train_vae=False, drop_inactive=True)},
    "frozen, moving statistics, parts": {
        "train": train_settings(**LOOP, train_vae=False, official_frozen_vae=True, accumulate=2)
    },
}
# In these the images of step 2 are no numbers: the step is skipped, the loss scale halved.
BROKEN = ("float16", "bfloat16")


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Make what is rare happen in four steps: a step without numbers, and a loss scale that grows."""
    monkeypatch.setattr(stage, "GROWTH_INTERVAL", 2)
    if not any(kind in request.getfixturevalue("case") for kind in BROKEN):
        return
    original = batches.TrainBatches.batch

    def batch(self: batches.TrainBatches, step: int, *rest: object) -> torch.Tensor:
        x = original(self, step, *rest)
        return x * torch.nan if step == 2 else x

    monkeypatch.setattr(batches.TrainBatches, "batch", batch)


def check_run(found: tuple[TrainResult, Saved], expected: tuple[TrainResult, Saved], cut: int, tolerance=0.0) -> None:
    """Everything after the cut."""
    (result, saved), (whole, whole_saved) = found, expected
    later = {step: state for step, state in whole_saved.states.items() if step > cut}
    check_equal({step: state for step, state in saved.states.items() if step > cut}, later, f"cut {cut}", tolerance)
    check_equal(result.model.state_dict(), whole.model.state_dict(), f"cut {cut}, weights", tolerance)
    check_equal(result.final, whole.final, f"cut {cut}, last line", tolerance)
    assert (result.status, result.steps, result.skipped_updates) == (whole.status, STEPS, whole.skipped_updates)


def curve(work: Path) -> list[dict[str, object]]:
    return read_curve(work / "curves.jsonl")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("events")
def test_killed_anywhere(tmp_path: Path, case: str):
    config, work = run_config(**CASES[case]), folder(tmp_path, "whole")
    whole = run(case, config, work)
    assert set(range(1, STEPS)) <= whole[1].states.keys()
    assert (whole[0].skipped_updates > 0) == any(kind in case for kind in BROKEN)
    assert [record["step"] for record in curve(work)] == [3, 4]
    for cut in range(1, STEPS):
        rest = whole[1].folders[cut]
        # The process may have gone on for a while after this file; and draws outside the run must not matter.
        shutil.copy(work / "curves.jsonl", rest)
        torch.randn(7)
        check_run(run(case, config, rest), whole, cut)
        check_equal(curve(rest), curve(work), f"cut {cut}, curve")


def test_states_hold_all_that_is_promised(tmp_path: Path):
    """The comparison above is worth what is in a state."""
    case = "algorithm 3, float16, parts"
    states = run(case, run_config(**CASES[case]), folder(tmp_path, "whole"))[1].states
    earlier, later = states[STEPS - 2], states[STEPS - 1]
    for part in ("vae", "prior", "vae_optimiser", "prior_optimiser", "ema", "vae_regulariser", "prior_regulariser"):
        assert not same(earlier[part], later[part]), part
    assert any("running_mean" in name for name in later["vae"])
    assert {"exp_avg", "exp_avg_sq", "step"} <= later["vae_optimiser"]["state"][0].keys()
    assert {"scale", "finite_in_a_row"} <= later["precision"].keys()
    assert len(earlier["averages"]["sums"]) > 5


def same(left: object, right: object) -> bool:
    try:
        check_equal(left, right, "")
    except AssertionError:
        return False
    return True
