"""Where the samplers of few steps evaluate: from t = 1 to the end, in steps that no SDE's own clock changes."""

from __future__ import annotations

import pytest
import torch
from toy_gaussian import scalar, sde_named

from lsgm.evaluation.likelihood_path import POWER, angle, angle_grid
from lsgm.sde import SDES


@pytest.mark.parametrize("name", SDES)
@pytest.mark.parametrize("time_end", [1e-5, 0.3])
def test_steps_are_equal_in_the_power_of_the_clock(name, time_end):
    sde = sde_named(name)
    grid = angle_grid(sde, time_end, 7)
    assert grid.times[0] == 1 and grid.times[-1] == time_end and bool((grid.times.diff() < 0).all())
    torch.testing.assert_close(torch.tensor(grid.angles), angle(sde, grid.times).float(), rtol=1e-6, atol=0)
    clock = (-torch.log(torch.cos(torch.tensor(grid.angles, dtype=torch.float64)))) ** POWER
    steps = clock.diff()
    # The cosine of the smallest angles has lost digits.
    torch.testing.assert_close(steps, steps.mean().expand(7), rtol=1e-4, atol=0)
    expected = [sde.normal_variance(scalar(time)).sqrt().item() for time in grid.times.tolist()]
    assert list(grid.scales) == pytest.approx(expected, rel=1e-12)
