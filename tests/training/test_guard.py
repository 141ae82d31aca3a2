from __future__ import annotations

import json
import math
from types import SimpleNamespace

from lsgm.config import TrainConfig
from lsgm.training.divergence import RECENT_STEPS, Guard, RollbackPolicy, TrainingDiverged


def test_skips_are_counted_and_too_many_in_a_row_are_an_outcome():
    guard = Guard(max_skipped=3)
    assert guard.check(0, {"loss_vae": 1.0})
    for step, value in enumerate([math.nan, math.inf, 1.0, math.nan, -math.inf], start=1):
        assert guard.check(step, {"loss_vae": 0.0, "grad_norm_vae": value}) == math.isfinite(value)
        assert guard.outcome is None
    assert guard.skipped == 4
    other = Guard(max_skipped=3)
    other.load_state_dict(guard.state_dict())
    for each in (guard, other):
        assert not each.check(6, {"loss_prior": math.nan})
        assert each.outcome.step == 4
        assert "loss_prior" in each.outcome.reason
        assert each.skipped == 5
        assert not each.is_settled
        each.start_again()
        assert each.outcome is None
        assert each.is_settled
        assert each.skipped == 5


def test_the_report_holds_the_last_values_by_term():
    stage = SimpleNamespace(parts={}, branches={}, networks={}, name="train")
    policy, other = (RollbackPolicy(stage, TrainConfig(), None, None) for _ in range(2))
    for step in range(RECENT_STEPS + 5):
        policy.watch(step, {"loss": float(step), "kl/0": 1.0}, is_finite=False)
    for values in ({"loss": math.nan, "kl": math.inf}, {"loss": -math.inf, "kl": 1.0}):
        policy.watch(7, values, is_finite=False)
    other.load_state_dict(policy.state_dict())
    for each in (policy, other):
        table = each.report(TrainingDiverged(7, "why"), None).last_values
        json.dumps(table, allow_nan=False)
        assert table["step"] == [*range(7, RECENT_STEPS + 5), 7, 7]
        assert table["loss"][-3:] == [float(RECENT_STEPS + 4), "nan", "-inf"]
        assert table["kl"][-3:] == [None, "inf", 1.0]
        assert table.keys() == {"step", "loss", "kl"}
        assert {len(column) for column in table.values()} == {RECENT_STEPS}
