"""One optimisation step of each kind against the published code: losses, their parts, and every gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from training.reference_step import STEP, TOTAL_STEPS, ReferenceStep

from lsgm.config import KlSchedule
from lsgm.diffusion import build_time_sampler
from lsgm.training import algorithms
from lsgm.training.balancing import balancing_coefficients, group_sizes
from lsgm.training.draws import Draws
from lsgm.training.gradients import StepGradients, gradients_of
from lsgm.training.inactive import channel_kl
from lsgm.training.objective import KlWeights, nelbo
from lsgm.training.precision import Precision
from lsgm.training.schedules import kappa

FLOAT64 = Precision("float32", torch.device("cpu"))
RTOL = 1e-9


def problem_of(step: ReferenceStep, lambda_vae: float, lambda_sgm: float) -> algorithms.JointProblem:
    return algorithms.JointProblem(
        model=step.model,
        vae_parameters=list(step.model.vae.parameters()),
        prior_parameters=list(step.model.prior.parameters()),
        vae_regulariser=step.regulariser("vae", lambda_vae),
        prior_regulariser=step.regulariser("prior", lambda_sgm),
        precision=FLOAT64,
    )


def draws_of(step: ReferenceStep, weighting: str) -> Draws:
    sampler = build_time_sampler(step.model.prior.sde, weighting, "is", official_weights=True)
    return Draws(step.posterior_noise, step.diffusion(sampler))


def joint_weights() -> KlWeights:
    return KlWeights(kappa(STEP, TOTAL_STEPS, KlSchedule(start=0.7, end=1.0, anneal_portion=0.1)))


def check_bound(step: ReferenceStep, result: StepGradients) -> None:
    losses, terms = step.losses, result.terms
    kl = terms.nelbo.kl.mean(dim=0)
    assert terms.scalars["reconstruction"].item() == pytest.approx(losses["epoch/vae_recon"], rel=RTOL)
    assert terms.scalars["kl"].item() == pytest.approx(losses["epoch/vae_kl"], rel=RTOL)
    assert terms.scalars["nelbo"].item() == pytest.approx(losses["epoch/vae_nelbo"], rel=RTOL)
    assert kl.tolist() == pytest.approx([losses[f"kl_value/group_{group}"] for group in range(2)], rel=RTOL)
    active = [losses[f"kl_active_step/active_{group}"] for group in range(2)]
    assert terms.nelbo.active_channels().tolist() == active


def test_pretraining(reference):
    step = ReferenceStep(reference, "g_mnist_vae_stage1")
    vae, losses = step.model.vae, step.losses
    schedule = KlSchedule(start=1e-4, end=0.7, const_portion=1e-4, anneal_portion=1.0)
    coefficient = kappa(STEP, TOTAL_STEPS, schedule)
    assert coefficient == pytest.approx(losses["kl_coeff/coeff"], rel=RTOL)
    sizes = torch.tensor(group_sizes(vae.latent_shapes)).double()
    bound = nelbo(vae, vae(step.x, step.posterior_noise), step.x, None)
    gamma = balancing_coefficients(bound.kl, sizes)
    assert gamma.tolist() == pytest.approx([losses["kl_coeff/layer_0"], losses["kl_coeff/layer_1"]], rel=RTOL)
    assert bound.active_channels().tolist() == [losses["kl/active_0"], losses["kl/active_1"]]
    terms = step.regulariser("vae", 0.01).terms()
    assert terms.spectral.item() == pytest.approx(losses["train/norm_loss"], rel=RTOL)
    assert terms.norm_scale.item() == pytest.approx(losses["train/bn_loss"], rel=RTOL)
    loss = bound.vae_loss(KlWeights(coefficient, sizes)) + 0.01 * terms.total
    assert loss.item() == pytest.approx(losses["loss"], rel=RTOL)
    gradients = gradients_of(loss, list(vae.parameters()), FLOAT64)
    step.check_gradients("vae", gradients)


def test_algorithm_1(reference):
    step = ReferenceStep(reference, "g_mnist_joint_ll_iw")
    result = algorithms.single_loss(problem_of(step, 0.01, 0.0), step.x, draws_of(step, "ll"), joint_weights())
    check_bound(step, result)
    loss = result.terms.scalars["loss_vae"].item()
    assert loss == pytest.approx(step.losses["losses_backpropagated_in_order"][0], rel=RTOL)
    step.check_gradients("vae", result.vae)
    step.check_gradients("prior", result.prior)


def test_algorithm_3(reference):
    step = ReferenceStep(reference, "g_mnist_joint_drop_all_iw")
    result = algorithms.reweighted(problem_of(step, 0.01, 0.01), step.x, draws_of(step, "un"), joint_weights())
    check_bound(step, result)
    # The published first loss also contains the prior's regulariser, whose gradient is discarded.
    first, second = step.losses["losses_backpropagated_in_order"]
    first -= step.losses["regularization_p"]
    assert result.terms.scalars["loss_vae"].item() == pytest.approx(first, rel=RTOL)
    assert result.terms.scalars["loss_prior"].item() == pytest.approx(second, rel=RTOL)
    step.check_gradients("vae", result.vae)
    step.check_gradients("prior", result.prior)


def test_prior_only(reference):
    step = ReferenceStep(reference, "g_mnist_prior_only")
    # The published code leaves a frozen VAE in training mode; so does this comparison.
    result = algorithms.prior_only(problem_of(step, 0.0, 0.01), step.x, draws_of(step, "re"), joint_weights())
    check_bound(step, result)
    loss = result.terms.scalars["loss_prior"].item()
    assert loss == pytest.approx(step.losses["losses_backpropagated_in_order"][0], rel=RTOL)
    assert result.vae is None
    step.check_gradients("prior", result.prior)


def test_inactive_channels(reference):
    step = ReferenceStep(reference, "g_mnist_inactive")
    inputs, arrays = torch.from_numpy, np.load(reference / "f_mnist.npz")
    vae, prior = step.model.vae.eval(), step.model.prior.eval()
    unused = torch.tensor([offset + channel for offset in (0, 20) for channel in range(0, 20, 3)])
    for _, group in vae.decoder.steps():
        with torch.no_grad():
            group.sampler.conv.log_norm[unused] = -12.0
            group.sampler.conv.bias[unused] = 0.0
    x = 2 * inputs(arrays["x"]).double() - 1
    noises = [inputs(arrays[f"noise_{group:02}"]).double() for group in range(2)]
    kl = channel_kl(vae, x, noises)
    torch.testing.assert_close(kl, step.array("kl_diag_top__f64"), rtol=RTOL, atol=1e-9)
    active = inputs(step.arrays["is_active"])
    assert ((kl > 0.1) == active).all()
    prior.deactivate(~active)
    torch.testing.assert_close(prior.mixing_logit.data, step.array("mixing_logit_after__f64"))
    with torch.no_grad():
        mixed = prior(inputs(arrays["sgm/z_t"]).double(), inputs(arrays["sgm/t"]).double())
    torch.testing.assert_close(mixed, step.array("mixed__f64"), rtol=1e-8, atol=1e-8)
