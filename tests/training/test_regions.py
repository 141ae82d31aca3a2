"""Regions that are computed twice or compiled: the same step, and nothing left behind."""

from __future__ import annotations

import os

import pytest
import torch
from distributed.training_cases import exact
from training.accumulation_cases import Stage, build_stage, gradients_of
from training.small_run import backbone, run_config, train_settings

from lsgm import distributed
from lsgm.config import ConfigError, LoopConfig, TrainConfig
from lsgm.config.load import validate
from lsgm.training.regions import prepared_regions, regions
from lsgm.training.spectral import Regulariser

RECOMPUTED = train_settings(checkpoint_activations=True)
COMPILED = train_settings(compile=True)
# Balancing, and float16 with algorithm 3, differentiate one graph twice.
CASES = (
    "pretraining",
    "prior only",
    *(f"algorithm {number}{balanced}" for number in ("1", "2", "2 disjoint", "3") for balanced in ("", ", balanced")),
    "algorithm 1, official, balanced",
)


def network_of(stage: Stage) -> torch.nn.Module:
    return torch.nn.ModuleDict(stage.networks)


def step(
    case: str, settings: LoopConfig, dropout: float, parts: int = 1, precision: str = "float32"
) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
    """Gradients of a step, and the state after it; batch norms are in training mode."""
    stage = build_stage(case, parts, dropout, is_frozen=False)
    stage.precision.__init__(precision, stage.device)
    network = network_of(stage)
    with prepared_regions(network, settings):
        found = gradients_of(stage)
    return [*(found.vae or ()), *(found.prior or ())], network.state_dict()


@pytest.mark.parametrize("case", CASES)
def test_what_is_computed_twice_is_the_same(case):
    """Dropout's masks come again, and the running statistics move once."""
    dropout = 0.0 if case == "pretraining" else 0.2
    with exact():
        expected, state = step(case, train_settings(), dropout)
        found, other = step(case, RECOMPUTED, dropout)
    check_same(found, expected, state, other)


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
@pytest.mark.parametrize("case", ["algorithm 1", "algorithm 3", "algorithm 3, balanced"])
def test_in_half_precision_and_in_parts_too(case, precision):
    with exact():
        expected, state = step(case, train_settings(), 0.2, 2, precision)
        found, other = step(case, RECOMPUTED, 0.2, 2, precision)
    check_same(found, expected, state, other)


def check_same(found, expected, state, other) -> None:
    assert found and all(torch.equal(left, right) for left, right in zip(found, expected, strict=True))
    assert state.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in state.items())


def test_less_is_kept_for_the_backward_pass():
    def kept(settings: LoopConfig) -> int:
        stage, packed = build_stage("algorithm 3", 1, is_frozen=False), []
        network = network_of(stage)
        x = torch.randn(4, *stage.networks["vae"].image_shape)
        noises = [torch.randn(4, *shape) for shape in stage.networks["vae"].latent_shapes]
        hooks = torch.autograd.graph.saved_tensors_hooks(
            lambda saved: packed.append(saved) or saved, lambda saved: saved
        )
        with prepared_regions(network, settings), hooks:
            stage.networks["vae"](x, noises)
        return sum(saved.numel() for saved in packed)

    assert kept(RECOMPUTED) < kept(train_settings()) / 2


def test_the_weight_of_the_first_pass_stays_for_the_regulariser():
    vae = backbone(run_config()).vae.train()
    layer = next(iter(regions(vae))).branch.conv1
    with prepared_regions(vae, RECOMPUTED):
        noises = [torch.randn(2, *shape) for shape in vae.latent_shapes]
        output = vae(torch.randn(2, *vae.image_shape), noises)
        first = layer.last_weight
        value = Regulariser(vae, 1.0, True, seed=0, purpose="test")()
        torch.autograd.grad(output.params.sum() + value, list(vae.parameters()), allow_unused=True)
    assert layer.last_weight is first


def test_all_is_undone_at_the_end():
    vae = backbone(run_config()).vae
    names = list(vae.state_dict())
    with pytest.raises(KeyError), prepared_regions(vae, RECOMPUTED):
        assert all("forward" in vars(region) for region in regions(vae))
        assert list(vae.state_dict()) == names
        raise KeyError
    assert not any("forward" in vars(region) for region in regions(vae))


def test_nothing_is_done_unless_asked_for():
    vae = backbone(run_config()).vae
    with prepared_regions(vae, train_settings()):
        assert not any("forward" in vars(region) for region in regions(vae))


def test_a_compiler_that_is_missing_is_named():
    config = pytest.importorskip("torch._inductor.config")
    vae = backbone(run_config()).vae
    with (
        config.patch({"cpp.cxx": ("no-such-compiler",)}),  # what pytest's monkeypatch undoes is gone for torch
        pytest.raises(ConfigError, match=r"train\.compile = true needs a C\+\+ compiler"),
        prepared_regions(vae, COMPILED),
    ):
        pass


def test_compilation_is_for_one_process(monkeypatch):
    monkeypatch.setattr(distributed, "size", lambda: 2)
    with pytest.raises(ConfigError, match=r"train\.compile = true is for one process"):
        prepared_regions(backbone(run_config()).vae, COMPILED).__enter__()


def test_the_two_exclude_each_other():
    with pytest.raises(ConfigError, match=r"train\.compile and train\.checkpoint_activations cannot both be true"):
        validate(TrainConfig, {"compile": True, "checkpoint_activations": True}, "test")


def test_neither_is_in_a_fingerprint_or_a_saved_file():
    plain, recomputed = run_config(), run_config(train=RECOMPUTED)
    assert plain.fingerprint("train") == recomputed.fingerprint("train")
    assert plain.model_dump() == recomputed.model_dump()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a C++ compiler")
@pytest.mark.parametrize("case", ["pretraining", "algorithm 3"])
def test_a_compiled_step_is_the_same_to_rounding(case):
    pytest.importorskip("torch._inductor.cpp_builder")
    with exact():
        expected, state = step(case, train_settings(), 0.0)
        found, other = step(case, COMPILED, 0.0)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)
    assert state.keys() == other.keys()
    torch.testing.assert_close(other, state, rtol=1e-10, atol=1e-12)
