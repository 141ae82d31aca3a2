"""g_mnist_vae_stage1: a step of stage 1; the loss, its parts, and every gradient."""

from __future__ import annotations

import torch

from lsgm.algorithms import gradients_of
from lsgm.compat.official.arguments import experiment_of
from lsgm.objective import KlWeights, balancing_coefficients, group_sizes, nelbo
from lsgm.training.optim import kl_coeff

from .case import Case, Match
from .cases_steps import NETWORK_PRECISION
from .official_networks import PADDED
from .step import KEYS, STEP, TOTAL_STEPS, Step, by_group
from .step_gradients import recorded
from .vectors import Value, Vectors


def pretraining(vectors: Vectors) -> dict[str, Value | Match]:
    """The step of stage 1 in both precisions."""
    arguments = vectors.record["config"]
    settings = experiment_of(arguments, PADDED["mnist"], None, "reference vectors").pretrain
    found: dict[str, Value | Match] = {}
    for precision in ("f64", "f32"):
        step = Step(vectors, precision)
        vae = step.model.vae
        sizes = torch.tensor(group_sizes(vae.latent_shapes)).to(step.dtype)
        weights = KlWeights(kl_coeff(STEP, TOTAL_STEPS, settings.kl), sizes)
        bound = nelbo(vae, vae(step.x, step.posterior_noise), step.x, None)
        terms = step.regulariser("vae", settings.sr_coeff).terms()
        loss = bound.vae_loss(weights) + settings.sr_coeff * terms.total
        gradients = gradients_of(loss, list(vae.parameters()), NETWORK_PRECISION)
        balance = balancing_coefficients(bound.kl, sizes).tolist()
        losses = {
            **dict.fromkeys(("loss", "train/nelbo_avg", "train/nelbo_iter"), loss.item()),
            "train/norm_loss": terms.spectral.item(),
            "train/bn_loss": terms.norm_scale.item(),
            "train/norm_coeff": settings.sr_coeff,
            "train/kl_iter": bound.kl.mean(dim=0).sum().item(),
            "train/recon_iter": bound.reconstruction.mean().item(),
            "kl_coeff/coeff": weights.kl_coeff,
            **{f"kl_coeff/layer_{group}": coefficient for group, coefficient in enumerate(balance)},
            **by_group(bound, "kl/active_", "kl_vals/layer_", "kl/total_active"),
        }
        found |= step.results({f"losses/{name}": value for name, value in losses.items()})
        found |= recorded(step, {"vae": step.named("vae", gradients)})
        found |= step.results({"vae_sr_exact_svd": step.exact_spectral_norm("vae")})
    return found


CASES = [
    Case(
        "g_mnist_vae_stage1",
        "stage 1",
        KEYS,
        pretraining,
        note="the published log-density of the standard Normal has its constant to ten digits, which shows in the KL",
    )
]
EXCLUSIONS = []  # in cases_steps, with those of stage 2
