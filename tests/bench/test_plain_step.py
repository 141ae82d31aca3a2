"""The plain steps are the same steps: same gradients in float64, same parameters after updates."""

from __future__ import annotations

import copy
from dataclasses import fields, replace

import pytest
import torch
from bench.bench_cases import CPU
from torch.nn import Parameter

from lsgm.bench.networks import ALGORITHMS, PRETRAINING, small
from lsgm.bench.plain_step import PlainAverage, PlainJoint, PlainPretraining
from lsgm.bench.steps import bare_step
from lsgm.models import build_lsgm
from lsgm.training.joint import JointStage
from lsgm.training.noise import BatchNoise, DiffusionNoise, StepInputs
from lsgm.training.pretrain import PretrainStage

BATCH = 3


def pair(way: str):
    """Stage and plain version with equal weights, float64, and inputs for both."""
    network = small()
    network = replace(network, prior=network.prior.model_copy(update={"dropout": 0.0, "mixing_logit_init": 0.0}))
    config = network.config(way, BATCH, warmup_epochs=0)
    if config.objective.algorithm == 1 and way != PRETRAINING:
        # As published, which is what the plain version does.
        objective = config.objective.model_copy(update={"official_kl_coeff": True})
        config = config.model_copy(update={"objective": objective})
    model = build_lsgm(config, network.image_shape).double()
    for index, parameter in enumerate(model.parameters()):
        if parameter.ndim > 1 and not parameter.any():
            generator = torch.Generator().manual_seed(index)
            parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    other, batches = copy.deepcopy(model), network.batches(config, CPU)
    if config.is_vae:
        stage, plain = PretrainStage(config, model.vae, batches, CPU), PlainPretraining(config, other.vae, CPU)
    else:
        stage, plain = JointStage(config, model, batches, CPU), PlainJoint(config, other, CPU)
    return stage, plain, in_double(stage.inputs(0)), (model, other)


def in_double(inputs: StepInputs) -> StepInputs:
    def doubled(diffusion: DiffusionNoise | None) -> DiffusionNoise | None:
        if diffusion is None:
            return None
        times = diffusion.times
        changes = {field.name: getattr(times, field.name).double() for field in fields(times)}
        return DiffusionNoise(diffusion.noise.double(), replace(times, **changes))

    draws = inputs.noise
    posterior = [noise.double() for noise in draws.posterior]
    return StepInputs(inputs.x.double(), BatchNoise(posterior, doubled(draws.prior), doubled(draws.vae)))


@pytest.mark.parametrize("way", [PRETRAINING, *ALGORITHMS])
def test_gradients_are_the_same(way: str) -> None:
    stage, plain, inputs, _ = pair(way)
    own, other = stage.gradients(inputs, 0), plain.gradients(inputs, stage.kl_coeff(0))
    for name, branch in stage.branches.items():
        found, expected = getattr(own, name), getattr(other, name)
        total = torch.stack([gradient.norm() for gradient in expected]).norm()
        assert total > 1e-2
        assert len(found) == len(expected) == len(branch.parameters)
        for left, right in zip(found, expected, strict=True):
            assert (left - right).norm() <= 1e-10 * (right.norm() + 1e-3 * total)


@pytest.mark.parametrize("way", [PRETRAINING, "algorithm 3", "prior only"])
def test_updates_are_the_same(way: str) -> None:
    stage, plain, inputs, (model, other) = pair(way)
    before = [parameter.detach().clone() for parameter in other.parameters()]
    kl_coeff = stage.kl_coeff(0)
    stage.kl_coeff = lambda step: kl_coeff
    for step in range(2):
        bare_step(stage, inputs, step)
        plain(inputs, kl_coeff)
    moved = 0
    for left, right, old in zip(model.parameters(), other.parameters(), before, strict=True):
        torch.testing.assert_close(left.data, right.data, rtol=1e-8, atol=1e-10)
        moved += not torch.equal(right.data, old)
    assert moved > 10


def test_the_plain_average_is_one() -> None:
    parameter = Parameter(torch.tensor([1.0]))
    average = PlainAverage([parameter], 0.9)
    parameter.data.fill_(2.0)
    average.update()
    average.update()
    assert average._average[0].item() == pytest.approx(1.0 * 0.81 + 2.0 * 0.19)
