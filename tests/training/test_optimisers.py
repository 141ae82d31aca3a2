"""Optimisers through a `Branch`, with the average, against recorded steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import Parameter

from lsgm.config import PretrainConfig, TrainConfig
from lsgm.training.branch import Branch
from lsgm.training.ema import Ema
from lsgm.training.optimisers import joint_optimiser, pretrain_optimiser
from lsgm.training.schedules import LearningRate

NAMES, STEPS = "abcd", 6


def parameters_of(arrays) -> list[Parameter]:
    return [Parameter(torch.from_numpy(arrays[f"p0/{name}"])) for name in NAMES]


def gradients_of(arrays, step: int) -> list[torch.Tensor]:
    return [torch.from_numpy(arrays[f"grad{step}/{name}"]) for name in NAMES]


def check(arrays, key: str, tensors) -> None:
    for name, tensor in zip(NAMES, tensors, strict=True):
        torch.testing.assert_close(tensor.detach(), torch.from_numpy(arrays[f"{key}/{name}"]), rtol=1e-11, atol=1e-12)


def test_adamax(reference):
    arrays = np.load(reference / "h_optim.npz")
    parameters = parameters_of(arrays)
    config = PretrainConfig()
    rate = LearningRate(config.lr, config.lr_min, epochs=10, warmup_epochs=5, steps_per_epoch=1)
    branch = Branch(parameters, lambda flat: pretrain_optimiser(flat, config), rate)
    for step in range(STEPS):
        norm = branch.take_gradients(gradients_of(arrays, step)).item()
        branch.update(step, norm)
        check(arrays, f"adamax_official/step{step + 1}", parameters)


@pytest.mark.parametrize(("form", "name"), [("l2", "adam_torch_L2_ema"), ("decoupled", "adamw_apexlike_ema")])
def test_adam_with_average(reference, form, name):
    arrays = np.load(reference / "h_optim.npz")
    parameters = parameters_of(arrays)
    config = TrainConfig(weight_decay_form=form)
    rate = LearningRate(3e-4, 3e-4, epochs=10, warmup_epochs=3, steps_per_epoch=1)
    branch = Branch(parameters, lambda flat: joint_optimiser(flat, "prior", config), rate)
    ema = Ema(parameters, decay=0.9)
    for step in range(STEPS):
        branch.update(step, branch.take_gradients(gradients_of(arrays, step)).item())
        ema.update()
        check(arrays, f"{name}/step{step + 1}", parameters)
        with ema.swapped_in():
            check(arrays, f"{name}/ema{step + 1}", parameters)
        check(arrays, f"{name}/step{step + 1}", parameters)


def test_branch_keeps_the_parameters_values_and_gives_them_back():
    values = [torch.randn(3, 5), torch.randn(()), torch.randn(17)]
    parameters = [Parameter(value.clone()) for value in values]
    branch = Branch(parameters, lambda flat: torch.optim.SGD(flat, lr=1.0), lambda step: 0.5)
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
    branch = Branch(parameters, lambda flat: torch.optim.SGD(flat, lr=1.0), lambda step: 1.0, clip=1.0)
    norm = branch.take_gradients([torch.full((3,), 2.0), torch.full((1,), 2.0)]).item()
    assert norm == 4.0
    branch.update(0, norm)
    assert parameters[0].tolist() == pytest.approx([-0.5] * 3)
