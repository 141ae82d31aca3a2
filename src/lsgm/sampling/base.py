"""What the samplers of the latent prior share: the prior they need, and what they return.

A prior is anything that predicts the noise eps of z_t = m_t z_0 + sigma_t eps and knows its forward SDE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lsgm.diffusion import Sde

# Maps a step number n of the ancestral sampler to standard normals shaped like the latent.
StepNoise = Callable[[int], Tensor]


class Prior(Protocol):
    """The noise predictor eps_theta(z_t, t) with its forward process; `MixedScorePrior` is one."""

    sde: Sde

    def __call__(self, latent: Tensor, time: Tensor, /) -> Tensor:
        """Predict the noise in `latent` (B, C, r, r) at `time` (B,)."""
        ...


@dataclass(frozen=True)
class PriorSamples:
    """Draws from the prior.

    Attributes:
        latent: z_0, (B, C, r, r), in the precision of the solver.
        nfe: network evaluations that the batch took.
    """

    latent: Tensor
    nfe: int


def state_dtype(device: torch.device) -> torch.dtype:
    """Precision of solver states and of sums: float64, or float32 on devices that lack it."""
    return torch.float64 if device.type in ("cpu", "cuda") else torch.float32


def predict_noise(prior: Prior, latent: Tensor, time: Tensor) -> Tensor:
    """Evaluate the prior in the precision of its own parameters.

    Args:
        latent: z_t, (B, C, r, r).
        time: t in [0, 1], (B,), or a scalar shared by the batch.

    Returns:
        eps_theta(z_t, t), (B, C, r, r), in the precision of the prior.
    """
    parameters = prior.parameters() if isinstance(prior, torch.nn.Module) else iter(())
    dtype = next((parameter.dtype for parameter in parameters), latent.dtype)
    return prior(latent.to(dtype), time.to(dtype).expand(latent.shape[0]))
