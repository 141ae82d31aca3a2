"""The weightings w(t) of the objective E_t[w(t)/2 · ‖ε − ε_θ‖²] (LSGM Table 1, Eqs. (8) and (9); spec: method 4).

Only w_ll makes the objective the cross entropy; the encoder always has it. The prior may be trained with any of them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .base import Sde

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


WEIGHTINGS: dict[str, Weighting] = {"ll": w_ll, "un": w_un, "re": w_re}
