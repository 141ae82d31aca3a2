"""Estimates of log p(z0): error and bias against a density that is known, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import torch
from torch import Tensor

from lsgm.bench.benchmark import Benchmark, Setting
from lsgm.bench.likelihood_cases import likelihood_cases, reference_case
from lsgm.bench.mixture_prior import MixturePrior, mixture_prior
from lsgm.bench.row import Row, timed_row
from lsgm.bench.timing import in_turns
from lsgm.config import NelboConfig, SdeConfig
from lsgm.diffusion import build_sde
from lsgm.evaluation.nelbo import NelboTerms, nelbo_terms
from lsgm.evaluation.posterior import PosteriorDraw

SEED = 0


def run(setting: Setting) -> Iterator[Row]:
    """Every solver, at several numbers of evaluations."""
    scale, indices = setting.scale, range(setting.scale.latents)
    prior = mixture_prior(build_sde(SdeConfig()), scale.latent)
    cases, outcomes = likelihood_cases(scale), {}
    z0 = prior.draw(indices, SEED, NelboConfig().time_end)
    works = {case: _work(prior, z0, config, outcomes, case) for case, config in cases.items()}
    timings = in_turns(works, setting.repeats, z0.device, warm_up=0)
    for case, timing in timings.items():
        difference = -outcomes[case].cross_entropy - prior.log_prob(z0, cases[case].time_end)
        yield timed_row(
            BENCHMARK.name,
            case,
            timing,
            timings[reference_case(scale)],
            evaluations=outcomes[case].nfe,
            error=float(difference.square().mean().sqrt()),
            bias=float(difference.mean()),
        )


def _work(
    prior: MixturePrior, z0: Tensor, config: NelboConfig, outcomes: dict[str, NelboTerms], case: str
) -> Callable[[], None]:
    """The NELBO of a model of which only the prior's term is not zero: its latents are given."""
    vae = SimpleNamespace(num_prior_groups=1, join=lambda groups: groups[0])
    nothing = torch.zeros(len(z0), dtype=z0.dtype)
    draw = PosteriorDraw([z0], nothing, nothing)

    def estimate() -> None:
        outcomes[case] = nelbo_terms(SimpleNamespace(prior=prior, vae=vae), draw, list(range(len(z0))), config, SEED)

    return estimate


BENCHMARK = Benchmark(
    name="likelihood",
    title="Likelihood of latents",
    compares="Estimates of log p(z0), in nats, for draws from a mixture of ten correlated normals of known density: "
    "root mean square and mean of the error over the latents. An evaluation is one of the prior, with a vector-"
    "Jacobian product for each probe. Seconds are those of the toy, on the CPU in float64, over the published way.",
    run=run,
    columns={"ratio_to_plain": "x published", "error": "rms error, nats", "bias": "mean error, nats"},
)
