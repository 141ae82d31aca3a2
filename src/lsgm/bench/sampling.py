"""Samplers and likelihoods of the latent prior: time on a network, error on a prior whose answers are known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from statistics import fmean
from types import SimpleNamespace

import torch
from torch import Tensor

from lsgm import randomness
from lsgm.config import NelboConfig, SampleConfig, SdeConfig
from lsgm.evaluation.nelbo import NelboTerms, nelbo_terms
from lsgm.evaluation.posterior import PosteriorDraw
from lsgm.models import MixedScorePrior, build_lsgm
from lsgm.sampling import SAMPLERS, Prior, PriorSamples, sample_prior
from lsgm.sde import build_sde

from .mixture_prior import MixturePrior, mixture_prior
from .networks import Network, Scale
from .timing import Row, interleaved, timed_row

# Shares of the network in the prediction: nearly the Normal prior, as training starts, and nearly all network.
ALPHAS = (0.1, 0.9)
PROBES = (1, 2)
# Their draws are others, so that no error against the ODE can be taken.
STOCHASTIC = ("ancestral", "predictor_corrector")
# Of the solution that errors of samples are measured against.
EXACT_TOL = 1e-9
NOISE, STEP_NOISE = "bench: sampling", "bench: ancestral step"
SEED = 0


def samplers(scale: Scale, device: torch.device) -> Iterator[Row]:
    """Every registered sampler, on both priors."""
    yield from _on_network(scale, device)
    for alpha in ALPHAS:
        yield from _on_mixture(scale, alpha)


def sampler_cases(scale: Scale) -> dict[str, SampleConfig]:
    """Settings by what tables call them; the first, the adaptive ODE as published, is what others are compared with."""
    variants: dict[str, list[dict[str, float]]] = {
        "ode": [{"tol": tol} for tol in scale.tolerances],
        **{solver: [{"evaluations": count} for count in scale.evaluations] for solver in ("multistep", "heun")},
        **{solver: [{"num_steps": scale.steps}] for solver in STOCHASTIC},
    }
    # A sampler that is not named above is measured at its defaults.
    cases = [{"solver": solver, **changes} for solver in SAMPLERS for changes in variants.get(solver, [{}])]
    published = {"solver": "ode", "tol": scale.tolerances[-1], "official_error_norm": True}
    return {_title(case): SampleConfig(**case) for case in (published, *cases)}


def likelihoods(scale: Scale, device: torch.device) -> Iterator[Row]:
    """Every solver, at several numbers of evaluations; errors are those of all rounds, each with its own probes."""
    prior = mixture_prior(build_sde(SdeConfig()), scale.latent)
    cases = likelihood_cases(scale)
    outcomes: dict[str, list[NelboTerms]] = {case: [] for case in cases}
    z0 = prior.draw(range(scale.batch), SEED, NelboConfig().time_end)
    works = {case: partial(_estimate, prior, z0, config, outcomes[case]) for case, config in cases.items()}
    timings = interleaved(works, scale.rounds, z0.device, warm_up=0)
    reference = timings[next(iter(cases))]
    for case, seconds in timings.items():
        found = outcomes[case]
        difference = torch.stack([-each.cross_entropy for each in found]) - prior.log_prob(z0, cases[case].time_end)
        accuracy = {"error": difference.square().mean().sqrt().item(), "bias": difference.mean().item()}
        yield timed_row(case, seconds, reference, evaluations=fmean(each.nfe for each in found), **accuracy)


def likelihood_cases(scale: Scale) -> dict[str, NelboConfig]:
    """Settings by what tables call them; the first is what others are compared with."""
    adaptive = [{"solver": "adaptive", "tol": tol} for tol in reversed(scale.tolerances[1:])]
    fixed = [
        {"solver": "multistep", "num_steps": number, "num_probes": probes}
        for number in scale.likelihood_steps
        for probes in PROBES
    ]
    cases = [*({**case, "official_probes": True} for case in adaptive), *adaptive, *fixed]
    return {_title(case): NelboConfig(**case) for case in cases}


def _title(settings: dict[str, object]) -> str:
    """Settings in words, as `ode, tol 0.01`."""
    solver, *others = settings.items()
    return ", ".join([solver[1], *(name if value is True else f"{name} {value:g}" for name, value in others)])


def _on_network(scale: Scale, device: torch.device) -> Iterator[Row]:
    network, cases = scale.networks[0], sampler_cases(scale)
    prior = _random_prior(network, device)
    noise = randomness.normal((scale.batch, *prior.shape), 0, NOISE).to(device)
    outcomes: dict[str, PriorSamples] = {}

    def draw(case: str) -> None:
        outcomes[case] = _draw(prior, noise, cases[case])

    timings = interleaved({case: partial(draw, case) for case in cases}, scale.rounds, device)
    reference = timings[next(iter(cases))]
    for case, seconds in timings.items():
        title = f"{network.title}, batch {scale.batch}: {case}"
        yield timed_row(title, seconds, reference, evaluations=outcomes[case].nfe_per_sample)


def _on_mixture(scale: Scale, alpha: float) -> Iterator[Row]:
    prior = mixture_prior(build_sde(SdeConfig()), scale.latent, alpha=alpha)
    noise = randomness.normal((scale.batch, *scale.latent), 1, NOISE).double()
    exact = sample_prior(prior, noise, SampleConfig(solver="ode", tol=EXACT_TOL)).latent
    for case, config in sampler_cases(scale).items():
        if config.solver in STOCHASTIC:
            continue
        found = _draw(prior, noise, config)
        error = (found.latent - exact).square().mean().sqrt()
        title = f"mixture, alpha {alpha:g}: {case}"
        yield Row(case=title, evaluations=found.nfe_per_sample, error=error.item(), rounds=1)


def _random_prior(network: Network, device: torch.device) -> MixedScorePrior:
    """The network's prior with random weights; layers that start at zero would leave out what makes a solver work."""
    prior = build_lsgm(network.config("algorithm 1"), network.image_shape).prior
    for index, parameter in enumerate(prior.parameters()):
        if parameter.ndim > 1 and not parameter.any():
            parameter.data.add_(0.02 * randomness.normal(parameter.shape, 0, "bench: weights", index))
    return prior.to(device).eval().requires_grad_(False)


def _draw(prior: Prior, noise: Tensor, config: SampleConfig) -> PriorSamples:
    def of_step(number: int) -> Tensor:
        return randomness.normal(noise.shape, 0, STEP_NOISE, number).to(noise.device)

    return sample_prior(prior, noise, config, of_step)


def _estimate(prior: MixturePrior, z0: Tensor, config: NelboConfig, outcomes: list[NelboTerms]) -> None:
    """Add the NELBO of a model of which only the prior's term is not zero: its latents are given."""
    vae = SimpleNamespace(num_prior_groups=1, join=lambda groups: groups[0])
    nothing = torch.zeros(len(z0), dtype=z0.dtype)
    model, draw = SimpleNamespace(prior=prior, vae=vae), PosteriorDraw([z0], nothing, nothing)
    outcomes.append(nelbo_terms(model, draw, list(range(len(z0))), config, SEED + len(outcomes)))
