"""The samplers of the latent prior by name, and the one entry to them."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from lsgm.config import SampleConfig
from lsgm.sampling.few_steps import sample_heun, sample_multistep

from .ancestral import sample_ancestral
from .base import Prior, PriorSamples, StepNoise
from .ode import sample_ode
from .predictor_corrector import sample_predictor_corrector

Sampler = Callable[[Prior, Tensor, SampleConfig, StepNoise | None], PriorSamples]

SAMPLERS: dict[str, Sampler] = {
    "ode": sample_ode,
    "multistep": sample_multistep,
    "heun": sample_heun,
    "ancestral": sample_ancestral,
    "predictor_corrector": sample_predictor_corrector,
}


def sample_prior(
    prior: Prior, noise: Tensor, config: SampleConfig, step_noise: StepNoise | None = None
) -> PriorSamples:
    """Draw z_0 from the prior with the sampler that `config.solver` names.

    Args:
        prior: noise predictor with its SDE, in evaluation mode.
        noise: standard normals, (B, C, r, r); temperature and base variance are applied here.
        config: sampler and its settings.
        step_noise: standard normals by number, needed by stochastic samplers.

    Raises:
        ConfigError: the sampler does not fit the SDE.
        SolverError: the sampler could not finish.
    """
    return SAMPLERS[config.solver](prior, noise, config, step_noise)
