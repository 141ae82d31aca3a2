"""The first step of each optimiser in closed form, and the `ParamGroup` that takes it. More steps: `parity`."""

from __future__ import annotations

import pytest
import torch
from torch.nn import Parameter

from lsgm.config import PretrainConfig, TrainConfig
from lsgm.training.optim import ParamGroup, joint_optimiser, pretrain_optimiser

DECAY, EPS, RATE = 0.1, 0.01, 0.02
OPTIMISERS = {
    "adamax": lambda flat: pretrain_optimiser(flat, PretrainConfig(weight_decay=DECAY, eps=EPS)),
    **{
        form: lambda flat, form=form: joint_optimiser(
            flat, "prior", TrainConfig(weight_decay=DECAY, eps_sgm=EPS, weight_decay_form=form)
        )
        for form in ("l2", "decoupled")
    },
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_first_step(name):
    """Moments corrected for their start are the gradient itself, so that the step is its sign but for eps."""
    start, gradient = torch.tensor([1.0, -2.0, 0.5]).double(), torch.tensor([0.3, 0.001, -4.0]).double()
    parameters = [Parameter(start.clone())]
    branch = ParamGroup(parameters, OPTIMISERS[name], lambda step: RATE)
    branch.update(0, branch.take_gradients([gradient]).item())
    decayed = gradient if name == "decoupled" else gradient + DECAY * start
    kept = 1 - RATE * DECAY if name == "decoupled" else 1.0
    expected = kept * start - RATE * decayed / (decayed.abs() + EPS)
    torch.testing.assert_close(parameters[0].detach(), expected, rtol=1e-12, atol=0)


def test_branch_keeps_the_parameters_values_and_gives_them_back():
    values = [torch.randn(3, 5), torch.randn(()), torch.randn(17)]
    parameters = [Parameter(value.clone()) for value in values]
    branch = ParamGroup(parameters, lambda flat: torch.optim.SGD(flat, lr=1.0), lambda step: 0.5)
    gradients = [torch.full_like(value, 8.0) for value in values]
    norm = branch.take_gradients(gradients, scale=4.0)
    assert norm.item() == pytest.approx(2 * (15 + 1 + 17) ** 0.5)
    branch.update(0, norm.item())
    branch.release()
    for parameter, value in zip(parameters, values, strict=True):
        torch.testing.assert_close(parameter.data, value - 0.5 * 2.0)
        assert parameter.untyped_storage().nbytes() == parameter.numel() * 4


def test_clipping_limits_the_global_norm():
    parameters = [Parameter(torch.zeros(3)), Parameter(torch.zeros(1))]
    branch = ParamGroup(parameters, lambda flat: torch.optim.SGD(flat, lr=1.0), lambda step: 1.0, clip=1.0)
    norm = branch.take_gradients([torch.full((3,), 2.0), torch.full((1,), 2.0)]).item()
    assert norm == 4.0
    branch.update(0, norm)
    assert parameters[0].tolist() == pytest.approx([-0.5] * 3)
