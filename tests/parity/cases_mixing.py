"""d_mixed_ce: the mixed score, the constant of Theorem 1, the time-discretised process."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from lsgm.config import PriorConfig
from lsgm.evaluation import elbo_weights
from lsgm.models import MixedScorePrior
from lsgm.objective import cross_entropy_constant
from lsgm.sampling import step_table
from lsgm.sde import build_sde

from .case import Case, Exclusion, Match
from .cases_sde import OFFICIAL_SDES, PRECISIONS
from .vectors import Vectors

FILE = "d_mixed_ce"
ROUNDING = 2.0**-25
"""Largest rounding error of float32 numbers just below 1."""
STEPS, WEIGHTS = 1e-7, 5e-7
"""Relative errors of single constants: one rounding, and several."""
TINY = PriorConfig(num_channels=8, channel_mult=(1, 1), num_cells_per_scale=1, embedding_dim=8)


class Recorded(nn.Module):
    """A network that gives the recorded output."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, z: Tensor, time: Tensor) -> Tensor:
        """The recorded output, whatever is asked."""
        return self.output


def mixed(vectors: Vectors) -> dict[str, Tensor]:
    """Both outcomes of the switch of the mixed score. The recorded M fixes z_t = M / sigma_t."""
    results, sde = {}, build_sde(OFFICIAL_SDES["vpsde"])
    for precision, dtype in PRECISIONS.items():
        component = vectors.tensor("mixing_component", dtype)
        for key, mixed_score in (("mixed", True), ("mixed_disabled", False)):
            prior = MixedScorePrior(TINY.model_copy(update={"mixed_score": mixed_score}), component.shape[1:], sde).to(
                dtype
            )
            prior.network = Recorded(vectors.tensor("param", dtype))
            if mixed_score:
                prior.mixing_logit.data = vectors.tensor("mixing_logit", dtype)
            time = torch.ones(len(component), dtype=dtype)
            z = component / sde.variance(time).sqrt().reshape(-1, 1, 1, 1)
            with torch.no_grad():
                results[f"{key}__{precision}"] = prior(z, time)
    return results


def constants(vectors: Vectors) -> dict[str, Tensor]:
    """1/2 ln(2 pi e variance(time_eps)); not a number where the variance is 0, which the settings refuse."""
    results = {}
    for name, config in OFFICIAL_SDES.items():
        sde = build_sde(config)
        values = [_constant(replace(sde, time_eps=time_eps)) for time_eps in vectors.values["ce_time_eps"].tolist()]
        for precision, dtype in PRECISIONS.items():
            results[f"ce_const_{name}__{precision}"] = torch.tensor(values, dtype=dtype)
    return results


def _constant(sde) -> float:
    return math.nan if sde.sigma2_0 == sde.time_eps == 0 else cross_entropy_constant(sde)


def discretised(vectors: Vectors) -> dict[str, Match]:
    """Constants of 1000 steps, and of the likelihood bound that is made of them; each element at its own size."""
    results = {}
    for name in ("vpsde", "geometric_sde"):
        sde = build_sde(OFFICIAL_SDES[name])
        prior_steps, posterior_steps = step_table(sde, 1000, "beta"), step_table(sde, 1000, "beta_post")
        bound, variance = elbo_weights(prior_steps), prior_steps.variance
        found = {
            "betas_init": (prior_steps.noise_variance, STEPS),
            "betas_post_init": (posterior_steps.noise_variance, STEPS),
            "alphas": (1 - prior_steps.beta, STEPS),
            "alpha_bars": (1 - variance, STEPS),
            "weights_noisepred_l2_term": (bound.error, WEIGHTS + ROUNDING / variance),
            "weights_invsigma2_term": (bound.posterior, WEIGHTS),
            "weights_const_term": (bound.constant, WEIGHTS),
        }
        for key, (ours, allowed) in found.items():
            theirs = vectors.values[f"disc_{name}_{key}"]
            results[f"disc_{name}_{key}"] = _each(ours, theirs, allowed)
    return results


def _each(ours: Tensor, theirs: Tensor, allowed: Tensor | float) -> Match:
    """Compare each element at its own size; `allowed` is relative to that. A zero must be one."""
    allowed = torch.as_tensor(allowed, dtype=torch.float64)
    largest = allowed.max().item()
    sizes = theirs.double().abs().clamp(min=1e-30) * (allowed / largest)
    return Match(ours, tolerance=largest, sizes=sizes.tolist(), precision="f32")


CASES = [
    Case(FILE, "mixed score", "mixed(_disabled)?__f..", mixed),
    Case(FILE, "constant of Theorem 1", "ce_const_.*", constants),
    Case(
        FILE,
        "constants of the discretised process",
        "disc_.*",
        discretised,
        note="each element at its own size; the published code computes them in float32 only, and its 1 - abar of the "
        "first step, by which the weight of the prediction error is divided, is 3e-5 or 1e-4 with a rounding error of "
        "3e-8",
    ),
]
EXCLUSIONS = [Exclusion(FILE, "param|mixing_component|mixing_logit|ce_time_eps", "inputs")]
