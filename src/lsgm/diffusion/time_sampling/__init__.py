"""Importance sampling of diffusion times (LSGM section 3.4; spec: method 5).

A time distribution is a `TimeProposal` (one idea per file); `TimeSampler` puts one together with the weightings of an
objective. To add one: write the proposal, and name it in `importance.IMPORTANCE` for its SDE and weighting.
"""

from __future__ import annotations

import torch

from lsgm.config import ConfigError

from ..base import Sde
from ..weighting import WEIGHTINGS
from .base import TimeProposal
from .importance import IMPORTANCE, importance_proposal
from .sampler import TimeSample, TimeSampler
from .uniform import UniformProposal

TIMES = ("uniform", "is")

__all__ = ["IMPORTANCE", "TIMES", "TimeProposal", "TimeSample", "TimeSampler", "build_time_sampler"]


def build_time_sampler(sde: Sde, weighting: str, time: str, official_weights: bool = False) -> TimeSampler:
    """Build the time sampler of one cell of Table 6.

    Args:
        sde: the forward process.
        weighting: `ll`, `un`, `re` or `rescale`: the prior's objective, and what `is` is optimal for.
        time: `uniform` or `is` (importance sampled).
        official_weights: the published code's constants in place of the exact ones.

    Raises:
        ConfigError: an unknown name, or a combination that is not defined.
    """
    if weighting not in WEIGHTINGS:
        raise ConfigError(f"objective.weighting = {weighting!r} is unknown; there are: {', '.join(WEIGHTINGS)}")
    if time not in TIMES:
        raise ConfigError(f"objective.time = {time!r} is unknown; there are: {', '.join(TIMES)}")
    # A weighting that this SDE cannot have says so here, and not at the first step.
    WEIGHTINGS[weighting](sde, torch.ones(1))
    proposal = UniformProposal(sde) if time == "uniform" else importance_proposal(sde, weighting)
    return TimeSampler(sde, weighting, proposal, official_weights)
