"""Sampling: the probability-flow ODE, adaptive or in few steps, two stochastic samplers, and images.

To add a sampler: one function like `sample_ode`, one line in `images.SAMPLERS`, and its name in `SampleConfig.solver`.
Source: LSGM section 2; docs/method.md, Probability-flow ODE.
"""

from .base import (
    NumericalError,
    Prior,
    PriorSamples,
    SolverError,
    StepNoise,
    batch_statistics,
    evaluation_mode,
    every_channel_active,
    predict_noise,
    require_finite,
    state_dtype,
)
from .dopri5 import EachSolution, integrate_each
from .images import SAMPLERS, ImageBatch, ImageSamples, iterate_images, sample_images, sample_prior
from .ode import FlowCoefficients, OdeSolution, flow_coefficients, integrate, sample_ode, solve_probability_flow
from .stochastic import (
    ReverseStep,
    StepTable,
    reverse_steps,
    sample_ancestral,
    sample_predictor_corrector,
    step_table,
)

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
