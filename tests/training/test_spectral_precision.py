"""`official_spectral`: the power iteration with every product rounded to the networks' type, as under autocast."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from training.small_run import backbone, blocks, run_config, train_settings

from lsgm.data import TrainBatches
from lsgm.models import Lsgm, build_prior
from lsgm.training.joint import JointStage
from lsgm.training.spectral import FIRST_ITERATIONS, SpectralNorms

CPU = torch.device("cpu")
# Unit roundoff: half of the distance of two neighbours, relative.
ROUNDOFF = {torch.float16: 2.0**-11, torch.bfloat16: 2.0**-8}


def weight(scale: float = 0.1) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return (scale * torch.randn(16, 6, 3, 3, generator=generator)).requires_grad_()


def norms_of(matrix: Tensor, reduced: torch.dtype | None) -> SpectralNorms:
    return SpectralNorms([lambda: matrix], [matrix.shape], 0, "test", CPU, reduced)


def rounded_product(first: Tensor, second: Tensor, dtype: torch.dtype) -> Tensor:
    """Operands and result rounded, the sum itself exact."""
    return (first.to(dtype).double() @ second.to(dtype).double()).to(dtype).double()


def explicit(matrix: Tensor, left: Tensor, dtype: torch.dtype) -> tuple[float, Tensor]:
    """sigma and its gradient u v', by the iteration written out."""
    matrix, left = matrix.detach().double().flatten(1), left.double()
    for _ in range(FIRST_ITERATIONS):
        right = rounded_product(left, matrix, dtype)
        right = right / right.norm()
        left = rounded_product(matrix, right, dtype)
        left = left / left.norm()
    sigma = rounded_product(left, rounded_product(matrix, right, dtype), dtype)
    return sigma.item(), torch.outer(left, right).to(dtype).double()


@pytest.mark.parametrize("dtype", ROUNDOFF)
def test_against_the_iteration_written_out(dtype):
    matrix = weight()
    norms = norms_of(matrix, dtype)
    expected, outer = explicit(matrix, norms.left["16x54"][0], dtype)
    value = norms()
    (gradient,) = torch.autograd.grad(value, matrix)
    assert value.dtype == gradient.dtype == torch.float32
    # The order of a sum may move a product to the neighbouring number.
    assert value.item() == pytest.approx(expected, rel=4 * ROUNDOFF[dtype])
    assert (gradient.flatten(1).double() - outer).norm() < 4 * ROUNDOFF[dtype]


@pytest.mark.parametrize("dtype", ROUNDOFF)
def test_value_and_gradient_are_numbers_of_the_reduced_type(dtype):
    matrix = weight()
    value = norms_of(matrix, dtype)()
    (gradient,) = torch.autograd.grad(value, matrix)
    for found in (value, gradient):
        assert torch.equal(found, found.to(dtype).float())
    full = norms_of(matrix, None)()
    assert value.item() == pytest.approx(full.item(), rel=8 * ROUNDOFF[dtype])
    assert value.item() != full.item()


def test_weights_near_zero_stay_in_range():
    """The score network's last convolutions start there: two products in a row would leave float16's range."""
    matrix = weight(1e-5)
    norms = norms_of(matrix, torch.float16)
    assert norms().item() == pytest.approx(norms_of(matrix, None)().item(), rel=0.05)
    torch.testing.assert_close(norms.left["16x54"].norm(), torch.tensor(1.0))


@pytest.mark.parametrize("dtype", [None, torch.float16])
def test_a_weight_that_was_zero_is_followed_again(dtype):
    matrix = torch.zeros(16, 6, 3, 3)
    norms = norms_of(matrix, dtype)
    assert norms().item() == 0
    matrix.copy_(weight().detach())
    norms.started = False
    assert norms().item() == pytest.approx(norms_of(matrix, None)().item(), rel=1e-2)


@pytest.mark.parametrize(
    ("precision", "is_official", "is_changed"),
    [("float32", True, False), ("float16", False, False), ("float16", True, True), ("bfloat16", True, True)],
)
def test_the_setting_reaches_both_regularisers(precision, is_official, is_changed):
    """Only where the networks run in a reduced type does the switch do anything."""
    settings = train_settings(precision=precision, official_spectral=is_official, sr_coeff_vae=1.0, sr_coeff_sgm=1.0)
    config = run_config(train=settings)
    plain = run_config(train=train_settings(sr_coeff_vae=1.0, sr_coeff_sgm=1.0))
    for part in ("vae", "prior"):
        found, expected = (regularisation(each, part) for each in (config, plain))
        assert (found != expected) == is_changed
        assert found == pytest.approx(expected, rel=1e-2)


def regularisation(config, part: str) -> float:
    vae = backbone(config).vae
    batches = TrainBatches(blocks().train, config.data, config.train.batch_size, config.seed, CPU)
    stage = JointStage(config, Lsgm(vae, build_prior(config, vae.prior_shape)), batches, CPU)
    return stage.gradients(stage.inputs(0), 0).terms.scalars[f"regulariser_{part}"].item()
