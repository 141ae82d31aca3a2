"""A step asks its device for numbers once, at its end: any earlier question would keep a GPU waiting."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from training.accumulation_cases import CASES, STEP, build_stage
from training.small_run import BATCH

from lsgm import objective
from lsgm.objective import cross_entropy_constant

QUESTIONS = ("aten::_local_scalar_dense", "aten::is_nonzero", "aten::equal", "aten::nonzero", "aten::masked_select")


class Questions(TorchDispatchMode):
    """Keeps the names of operations whose result, or its shape, the host waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        if operation._schema.name in QUESTIONS:
            self.found.append(operation._schema.name)
        return operation(*arguments, **(options or {}))


def test_questions_are_noticed():
    with Questions() as questions:
        torch.ones(()).item()
        bool(torch.ones(()) > 0)
        torch.ones(2).nonzero()
    assert len(questions.found) == 3


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_taken_without_a_question(case, monkeypatch):
    stage = build_stage(case, 1, is_frozen=False)
    inputs = stage.inputs(STEP)
    if not case.startswith("pretraining"):
        # It comes from the SDE alone, on the CPU whatever the device.
        constant = cross_entropy_constant(stage.model.prior.sde)
        monkeypatch.setattr(objective, "cross_entropy_constant", lambda sde: constant)
    with Questions() as questions:
        gradients = stage.gradients(inputs, STEP)
        for name, branch in stage.branches.items():
            branch.take_gradients(getattr(gradients, name))
        stage.statistics.total()
        stage.statistics.keep()
    assert len(inputs.x) == BATCH
    assert questions.found == []
