"""The weightings w(t) of the objective E_t[w(t)/2 · ‖ε − ε_θ‖²] (LSGM Table 1, Eqs. (8) and (9); spec: method 4).

Only w_ll makes the objective the cross entropy; the encoder always has it. The prior may be trained with any of them.
`rescale` is not in the paper: the published code offers it, and it makes the loss of a standard normal flat in t.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lsgm.config import ConfigError

from .base import Sde
from .sub_vpsde import SubVPSDE
from .variance_preserving import VariancePreservingSde

Weighting = Callable[[Sde, Tensor], Tensor]


def w_ll(sde: Sde, t: Tensor) -> Tensor:
    """Maximum-likelihood weighting g²(t) / σ_t², same shape as t."""
    return sde.diffusion_squared(t) / sde.variance(t)


def w_un(sde: Sde, t: Tensor) -> Tensor:
    """Unweighted objective, 1 at all times; same shape as t."""
    return torch.ones_like(t)


def w_re(sde: Sde, t: Tensor) -> Tensor:
    """Reweighted objective g²(t), same shape as t."""
    return sde.diffusion_squared(t)


def w_rescale(sde: Sde, t: Tensor) -> Tensor:
    """1 / (1 − σ_t²), same shape as t.

    Raises:
        ConfigError: the variance of this SDE may exceed 1.
    """
    if isinstance(sde, VariancePreservingSde):
        return 1 / sde.one_minus_variance(t)
    if isinstance(sde, SubVPSDE):
        # 1 − σ² = a (2 − a − sigma2_0) with a = m², without the cancellation of 1 − variance(t) near t = 1.
        squared_mean = sde.mean(t).square()
        return 1 / (squared_mean * (2 - squared_mean - sde.sigma2_0))
    raise ConfigError(
        f"objective.weighting = rescale needs a variance below 1, which a {type(sde).__name__} does not keep; "
        f"take ll, un or re"
    )


WEIGHTINGS: dict[str, Weighting] = {"ll": w_ll, "un": w_un, "re": w_re, "rescale": w_rescale}
