from __future__ import annotations

import math

import pytest
import torch

from lsgm.training.stage import FIRST_SCALE, GROWTH_INTERVAL, Precision

CPU = torch.device("cpu")


def test_auto_is_float32_without_a_gpu():
    precision = Precision("auto", CPU)
    assert precision.name == "float32"
    with precision.autocast():
        assert not torch.is_autocast_enabled("cpu")
    assert precision.scale == 1


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_autocast_runs_matrices_in_the_type(name):
    with Precision(name, CPU).autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == getattr(torch, name)


def test_loss_scale():
    precision = Precision("float16", CPU)
    loss = torch.tensor(2.0)
    assert precision.scaled(loss).item() == 2 * FIRST_SCALE == 2048
    precision.record(False)
    assert precision.scale == FIRST_SCALE / 2
    for _ in range(GROWTH_INTERVAL - 1):
        precision.record(True)
    other = Precision("float16", CPU)
    other.load_state_dict(precision.state_dict())
    other.record(True)
    assert other.scale == FIRST_SCALE
    for _ in range(20):
        other.record(False)
    assert other.scale == 1


def test_other_types_have_no_scale():
    precision = Precision("bfloat16", CPU)
    precision.record(False)
    precision.load_state_dict({"scale": 8.0, "finite_in_a_row": 0})
    assert precision.scale == 1
    assert not math.isnan(precision.scaled(torch.tensor(1.0)).item())
