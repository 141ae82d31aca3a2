"""Estimates of log p(z0): error and bias against a density that is known, and what they cost.

Errors are those of all rounds together, each with probes of its own: of one draw for a few latents they say little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import fmean
from types import SimpleNamespace

import torch
from torch import Tensor

from lsgm.bench.benchmark import Benchmark, Setting
from lsgm.bench.likelihood_cases import likelihood_cases, reference_case
from lsgm.bench.mixture_prior import MixturePrior, mixture_prior
from lsgm.bench.row import Row, timed_row
from lsgm.bench.timing import in_turns
from lsgm.config import NelboConfig, SdeConfig
from lsgm.evaluation.nelbo import NelboTerms, nelbo_terms
from lsgm.evaluation.posterior import PosteriorDraw
from lsgm.sde import build_sde

SEED = 0


def run(setting: Setting) -> Iterator[Row]:
    """Every solver, at several numbers of evaluations."""
    scale, indices = setting.scale, range(setting.scale.latents)
    prior = mixture_prior(build_sde(SdeConfig()), scale.latent)
    cases = likelihood_cases(scale)
    outcomes: dict[str, list[NelboTerms]] = {case: [] for case in cases}
    z0 = prior.draw(indices, SEED, NelboConfig().time_end)
    works = {case: _work(prior, z0, config, outcomes[case]) for case, config in cases.items()}
    timings = in_turns(works, setting.repeats, z0.device, warm_up=0)
    for case, timing in timings.items():
        estimates = torch.stack([-outcome.cross_entropy for outcome in outcomes[case]])
        difference = estimates - prior.log_prob(z0, cases[case].time_end)
        yield timed_row(
            BENCHMARK.name,
            case,
            timing,
            timings[reference_case(scale)],
            evaluations=fmean(outcome.nfe for outcome in outcomes[case]),
            error=float(difference.square().mean().sqrt()),
            bias=float(difference.mean()),
        )


def _work(prior: MixturePrior, z0: Tensor, config: NelboConfig, outcomes: list[NelboTerms]) -> Callable[[], None]:
    """The NELBO of a model of which only the prior's term is not zero: its latents are given."""
    vae = SimpleNamespace(num_prior_groups=1, join=lambda groups: groups[0])
    nothing = torch.zeros(len(z0), dtype=z0.dtype)
    draw = PosteriorDraw([z0], nothing, nothing)

    def estimate() -> None:
        model, indices, seed = SimpleNamespace(prior=prior, vae=vae), list(range(len(z0))), SEED + len(outcomes)
        outcomes.append(nelbo_terms(model, draw, indices, config, seed))

    return estimate


BENCHMARK = Benchmark(
    name="likelihood",
    title="Likelihood of latents",
    compares="Estimates of log p(z0), in nats, for draws from a mixture of ten correlated normals of known density: "
    "root mean square and mean of the error over latents and rounds, with new probes in each round. An evaluation is "
    "one of the prior, with a vector-Jacobian product for each probe. Seconds are those of the toy, on the CPU in "
    "float64, over the published way.",
    run=run,
    columns={"ratio_to_plain": "x published", "error": "rms error, nats", "bias": "mean error, nats"},
)
