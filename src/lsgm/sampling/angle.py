"""The angle of a diffused latent: one clock for all SDEs, in which the probability flow takes one form.

With N(t) = m_t² (1 − σ_0²) + σ_t², the variance of z_t if the latents at t = 0 are standard normal (the
`normal_variance` of each SDE), let sin θ = σ_t / √N(t) and y = z_t / √N(t). Then M = y sin θ and, in time,
θ' = g² cos θ / (2 σ_t √N), and the flow dz/dt = f z + g² / (2 σ_t) ε with the mixed score ε = (1 − α) M + α ε' becomes

    dy/dθ = α (ε' − y sin θ) / cos θ:

the Normal prior (α = 0) stands still, and α slows the flow of the others. σ_0² is `sigma2_0` of the SDE.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lsgm.sde import Sde

BISECTIONS = 64  # halvings of [0, 1]: down to rounding for times above 1e-4, to 1e-19 below


def angle(sde: Sde, t: Tensor) -> Tensor:
    """Return θ(t) in [0, π/2), same shape as t; it grows with t."""
    return torch.atan2(sde.variance(t).sqrt(), sde.mean(t) * (1 - sde.sigma2_0) ** 0.5)


def time_of_angle(sde: Sde, theta: Tensor) -> Tensor:
    """Inverse of `angle`: the time in [0, 1], float64, same shape; the nearer end for angles that no time has."""
    low = torch.zeros_like(theta, dtype=torch.float64)
    high = torch.ones_like(low)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        below = angle(sde, middle) < theta
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2
