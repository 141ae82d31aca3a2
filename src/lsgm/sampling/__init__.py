"""Sampling: the probability-flow ODE, the ancestral sampler, and images (LSGM section 2; method 10)."""

from .ancestral import StepTable, sample_ancestral, step_table
from .base import Prior, PriorSamples, StepNoise, predict_noise, state_dtype
from .errors import NumericalError, SolverError, require_finite
from .images import ImageBatch, ImageSamples, iterate_images, sample_images
from .modes import batch_statistics, evaluation_mode, every_channel_active
from .ode import FlowCoefficients, OdeSolution, flow_coefficients, sample_ode, solve_probability_flow
from .samplers import SAMPLERS, sample_prior
from .solver import integrate

__all__ = [
    "SAMPLERS",
    "FlowCoefficients",
    "ImageBatch",
    "ImageSamples",
    "NumericalError",
    "OdeSolution",
    "Prior",
    "PriorSamples",
    "SolverError",
    "StepNoise",
    "StepTable",
    "batch_statistics",
    "evaluation_mode",
    "every_channel_active",
    "flow_coefficients",
    "integrate",
    "iterate_images",
    "predict_noise",
    "require_finite",
    "sample_ancestral",
    "sample_images",
    "sample_ode",
    "sample_prior",
    "solve_probability_flow",
    "state_dtype",
    "step_table",
]
