"""Sampling: the probability-flow ODE, adaptive or in few steps, two stochastic samplers, and images.

To add a sampler: one function like `sample_ode` in a file of its own, one line in `SAMPLERS`, and its name in
`SampleConfig.solver`. Source: LSGM section 2; method 10.
"""

from .ancestral import StepTable, sample_ancestral, step_table
from .base import Prior, PriorSamples, StepNoise, predict_noise, state_dtype
from .errors import NumericalError, SolverError, require_finite
from .images import ImageBatch, ImageSamples, iterate_images, sample_images
from .modes import batch_statistics, evaluation_mode, every_channel_active
from .ode import FlowCoefficients, OdeSolution, flow_coefficients, sample_ode, solve_probability_flow
from .per_sample import EachSolution, integrate_each
from .predictor_corrector import ReverseStep, reverse_steps, sample_predictor_corrector
from .samplers import SAMPLERS, sample_prior
from .solver import integrate

__all__ = [
    "SAMPLERS",
    "EachSolution",
    "FlowCoefficients",
    "ImageBatch",
    "ImageSamples",
    "NumericalError",
    "OdeSolution",
    "Prior",
    "PriorSamples",
    "ReverseStep",
    "SolverError",
    "StepNoise",
    "StepTable",
    "batch_statistics",
    "evaluation_mode",
    "every_channel_active",
    "flow_coefficients",
    "integrate",
    "integrate_each",
    "iterate_images",
    "predict_noise",
    "require_finite",
    "reverse_steps",
    "sample_ancestral",
    "sample_images",
    "sample_ode",
    "sample_predictor_corrector",
    "sample_prior",
    "solve_probability_flow",
    "state_dtype",
    "step_table",
]
