from __future__ import annotations

import math

from lsgm.training.recovery.guard import Guard


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
