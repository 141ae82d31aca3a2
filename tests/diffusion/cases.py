"""SDEs that the tests run over: every registered one, and those whose variance does not start at its usual value."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from lsgm.config import SdeConfig
from lsgm.sde import SDES, VESDE, Sde, SubVPSDE, build_sde
from lsgm.time_sampling import IMPORTANCE, TIMES, WEIGHTINGS

SETTINGS = {
    "geometric": {"sigma2_0": 3e-5, "time_eps": 0.0},
    "vesde": {"sigma2_min": 1e-4, "sigma2_0": 1e-4, "sigma2_max": 300.0},
}
VARIANTS = {
    "vpsde, noisy start": SdeConfig(type="vpsde", sigma2_0=1e-3, time_eps=0.0),
    "sub_vpsde, noisy start": SdeConfig(type="sub_vpsde", sigma2_0=1e-3),
    "geometric, cut off": SdeConfig(type="geometric", sigma2_min=1e-4, sigma2_max=0.99, sigma2_0=0.0, time_eps=0.01),
}
REGISTERED = {name: build_sde(SdeConfig(type=name, **SETTINGS.get(name, {}))) for name in SDES}
CASES: dict[str, Sde] = REGISTERED | {name: build_sde(config) for name, config in VARIANTS.items()}


def is_defined(sde: Sde, weighting: str, time: str) -> bool:
    """Whether this SDE has such a time sampler."""
    if weighting == "rescale" and isinstance(sde, VESDE):
        return False
    return time == "uniform" or weighting in IMPORTANCE.get(type(sde), {})


# (SDE, weighting, time) for all that exist; those of which the proposal is optimal for its own objective.
SAMPLERS = [(name, w, t) for name, sde in CASES.items() for w in WEIGHTINGS for t in TIMES if is_defined(sde, w, t)]
OPTIMAL = [(name, w) for name, w, t in SAMPLERS if t == "is" and not isinstance(CASES[name], SubVPSDE)]


def times(sde: Sde, count: int = 101, start: float = 0.0) -> Tensor:
    """Float64 grid over [max(start, time_eps), 1]."""
    return torch.linspace(max(start, sde.time_eps), 1.0, count, dtype=torch.float64)


def integrate(function: Callable[[Tensor], Tensor], start: float, end: float, count: int = 4000) -> float:
    """Integral over [start, end] on a grid that is double-exponentially fine at both ends (tanh-sinh rule).

    The weights of importance-sampled times are steep there: they change within 1e-5 of ρ = 0 and of ρ = 1.
    """
    u = torch.linspace(-3.2, 3.2, count, dtype=torch.float64)
    argument = 0.5 * math.pi * torch.sinh(u)
    x = start + (end - start) * torch.sigmoid(2 * argument)
    slope = 0.25 * math.pi * (end - start) * torch.cosh(u) / torch.cosh(argument).square()
    return (function(x) * slope).sum().item() * 6.4 / (count - 1)


def normal_error(sde: Sde, t: Tensor, variance: float) -> Tensor:
    """E(ε − M(z_t, t))² of one dimension if z_0 ~ N(0, variance)."""
    coefficient = sde.normal_prediction(torch.ones_like(t), t)
    noise_part = (1 - coefficient * sde.variance(t).sqrt()).square()
    return noise_part + coefficient.square() * sde.mean(t).square() * variance
