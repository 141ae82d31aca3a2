"""Multistep solver of the probability flow: the linear part of the mixed score exact, one evaluation a step.

The flow's linear part is known, per channel (`lsgm.sampling.exponential`); what remains is the network's prediction
eps', extrapolated as a polynomial in the angle through its last `order` values (predictor). The evaluation at the new
place, which the next step needs anyway, then corrects the step behind it (corrector, one point more). So n steps are n
evaluations. The last step ends without one and stays uncorrected; there the predictor is one order lower, since
extrapolation down to the clean latent adds more error than it removes. In the family of DEIS (Zhang and Chen, 2023),
DPM-Solver++ (Lu et al., 2022) and UniPC (Zhao et al., 2023), with the linear part of the mixed score in place of the
process' own.

Tried on mixtures with known scores and on trained models, at ten evaluations. Without the corrector errors are two to
four times larger; with one of two points more single latents are no better, and Fréchet distances of twelve trained
models are off by -5 to +2 % instead of -1 to +3 %. Extrapolating the clean latent instead of eps' is four times worse
on mixtures. The velocity dy/dθ is better there by up to 40 %, and ten times worse with trained networks: it multiplies
what they get wrong near t = 1. Order 3 wins where the network is smooth in time (on mixtures, by a third), order 2
where it is not, and at few evaluations.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lsgm.config import SampleConfig

from .base import Prior, PriorSamples, StepNoise
from .few_steps import FewSteps, combine
from .path_constants import path_constants
from .shifted_grids import grids_taken


@torch.no_grad()
def sample_multistep(
    prior: Prior, noise: Tensor, config: SampleConfig, step_noise: StepNoise | None = None
) -> PriorSamples:
    """Draw from the prior in `config.evaluations` steps of order `config.order`, lower in the first ones and the last.

    Args:
        prior: noise predictor with its SDE; with `network_prediction` and `alpha` if its score is mixed.
        noise: standard normals, (B, C, r, r).
        config: `evaluations`, `order`, `time_end` and `prior_temperature` are used.
        step_noise: its `indices` tell the grid of each sample (`lsgm.sampling.shifted_grids`). None: all take the same.

    Raises:
        SolverError: a prediction is not finite.
    """
    taken = None if step_noise is None else grids_taken(step_noise.indices)
    steps = FewSteps(prior, noise, config, config.evaluations, taken)
    constants = path_constants(steps.angles, steps.alpha, config.order, last_order=max(config.order - 1, 1))
    constants = constants.to(steps.start.device, steps.start.dtype)
    y, before, past = steps.start, steps.start, []
    for place in range(config.evaluations):
        past = [steps.predict(y, place), *past[: config.order]]
        if place > 0:
            y = combine(
                steps.each(constants.decay[place - 1]), before, steps.each(constants.corrector[place - 1]), past
            )
        before = y
        decay, predictor = (steps.each(part[place]) for part in (constants.decay, constants.predictor))
        y = combine(decay, y, predictor, past[: config.order])
    return steps.finish(y)
