from __future__ import annotations

import json
import math

from lsgm.training.progress.recent import LENGTH, Recent


def test_the_last_steps_by_term():
    recent, other = Recent(), Recent()
    for step in range(LENGTH + 5):
        recent.add(step, {"loss": float(step)})
    for values in ({"loss": math.nan, "kl": math.inf}, {"loss": -math.inf, "kl": 1.0}):
        recent.add(7, values)
    other.load_state_dict(recent.state_dict())
    for each in (recent, other):
        table = each.by_term()
        json.dumps(table, allow_nan=False)
        assert table["step"] == [*range(7, LENGTH + 5), 7, 7]
        assert table["loss"][-3:] == [float(LENGTH + 4), "nan", "-inf"]
        assert table["kl"][-3:] == [None, "inf", 1.0]
        assert {len(column) for column in table.values()} == {LENGTH}
