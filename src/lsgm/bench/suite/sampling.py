"""Samplers of the latent prior: time and evaluations on a network, error against evaluations on a known prior."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from lsgm import randomness
from lsgm.bench.benchmark import Benchmark, Setting
from lsgm.bench.mixture_prior import mixture_prior
from lsgm.bench.networks import Network
from lsgm.bench.row import Row, timed_row
from lsgm.bench.sampler_cases import STOCHASTIC, reference_case, sampler_cases
from lsgm.bench.timing import in_turns
from lsgm.config import SampleConfig, SdeConfig
from lsgm.models import MixedScorePrior, build_lsgm
from lsgm.sampling import Prior, PriorSamples, StepNoise, sample_prior
from lsgm.sde import build_sde

# Shares of the network in the prediction: nearly the Normal prior, as training starts, and nearly all network.
ALPHAS = (0.1, 0.9)
NOISE, STEP_NOISE = "bench: sampling", "bench: ancestral step"


def run(setting: Setting) -> Iterator[Row]:
    """Every registered sampler, on both priors."""
    yield from _on_network(setting)
    for alpha in ALPHAS:
        yield from _on_mixture(setting, alpha)


def _on_network(setting: Setting) -> Iterator[Row]:
    network, scale = setting.scale.networks[0], setting.scale
    prior = _prior(network, setting.device)
    noise = randomness.normal((scale.batch, *prior.shape), 0, NOISE).to(setting.device)
    cases, outcomes = sampler_cases(scale), {}
    works = {case: _work(prior, noise, config, outcomes, case) for case, config in cases.items()}
    timings = in_turns(works, setting.repeats, setting.device)
    for case, timing in timings.items():
        reference = timings[reference_case(scale)]
        title = f"{network.title}, batch {scale.batch}: {case}"
        yield timed_row(BENCHMARK.name, title, timing, reference, evaluations=outcomes[case].nfe_per_sample)


def _on_mixture(setting: Setting, alpha: float) -> Iterator[Row]:
    scale = setting.scale
    prior = mixture_prior(build_sde(SdeConfig()), scale.latent, alpha=alpha)
    noise = randomness.normal((scale.batch, *scale.latent), 1, NOISE).double()
    ends: dict[float, Tensor] = {}
    for case, config in sampler_cases(scale).items():
        if config.solver in STOCHASTIC:
            continue
        if config.time_end not in ends:
            exact = SampleConfig(solver="ode", tol=scale.exact_tol, time_end=config.time_end)
            ends[config.time_end] = sample_prior(prior, noise, exact).latent
        found = sample_prior(prior, noise, config, _step_noise(noise))
        error = (found.latent - ends[config.time_end]).square().mean().sqrt()
        title = f"mixture, alpha {alpha:g}: {case}"
        yield Row(BENCHMARK.name, title, evaluations=found.nfe_per_sample, error=float(error), repeats=1)


def _prior(network: Network, device: torch.device) -> MixedScorePrior:
    """The network's prior with random weights; layers that start at zero would leave out what makes a solver work."""
    config = network.config("algorithm 1")
    prior = build_lsgm(config, network.image_shape).prior
    for index, parameter in enumerate(prior.parameters()):
        if parameter.ndim > 1 and not parameter.any():
            parameter.data.add_(0.02 * randomness.normal(parameter.shape, 0, "bench: weights", index))
    return prior.to(device).eval().requires_grad_(False)


def _work(
    prior: Prior, noise: Tensor, config: SampleConfig, outcomes: dict[str, PriorSamples], case: str
) -> Callable[[], None]:
    def draw() -> None:
        outcomes[case] = sample_prior(prior, noise, config, _step_noise(noise))

    return draw


def _step_noise(noise: Tensor) -> StepNoise:
    return lambda number: randomness.normal(noise.shape, 0, STEP_NOISE, number).to(noise.device)


BENCHMARK = Benchmark(
    name="sampling",
    title="Sampling the latent prior",
    compares="First a score network with random weights: seconds and evaluations of a batch, without the decoder, over "
    "the adaptive ODE as published (one step for the whole batch) at the tightest tolerance; where samples have steps "
    "of their own, evaluations are the mean over samples. Then a mixture of ten correlated normals of known score, "
    "mixed with the Normal score as in the model: root mean square error of z0 against a much tighter solution of the "
    "same ODE from the same noise (float64).",
    run=run,
    columns={"ratio_to_plain": "x published", "error": "rms error of z0"},
)
