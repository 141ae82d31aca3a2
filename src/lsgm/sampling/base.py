"""What the samplers of the latent prior share: the prior they need, and what they return.

A prior is anything that predicts the noise eps of z_t = m_t z_0 + sigma_t eps and knows its forward SDE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lsgm.sde import Sde

# What a stochastic sampler draws on its way: maps the number of a draw to standard normals, (B, C, r, r).
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
        evaluations: those of each sample, (B,), of which `nfe` is the largest; None where every sample has `nfe`.
    """

    latent: Tensor
    nfe: int
    evaluations: Tensor | None = None

    @property
    def nfe_per_sample(self) -> float:
        """Network evaluations of a sample, mean over the batch."""
        return float(self.nfe if self.evaluations is None else self.evaluations.double().mean())


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
    return _in_own_precision(prior, prior, latent, time)


def predict_network(prior: Prior, latent: Tensor, time: Tensor) -> Tensor:
    """Evaluate eps' of a mixed score; arguments and result as of `predict_noise`.

    A prior that has no `network_prediction` is one without a Normal part: its prediction is eps'.
    """
    return _in_own_precision(prior, getattr(prior, "network_prediction", prior), latent, time)


def network_share(prior: Prior) -> Tensor:
    """Return alpha of the mixed score, (1, C, 1, 1), float64, on the CPU; 1 for a prior without a Normal part."""
    if not hasattr(prior, "network_prediction"):
        return torch.ones(1, 1, 1, 1, dtype=torch.float64)
    return prior.alpha.detach().to("cpu", torch.float64)


def _in_own_precision(
    prior: Prior, function: Callable[[Tensor, Tensor], Tensor], latent: Tensor, time: Tensor
) -> Tensor:
    parameters = prior.parameters() if isinstance(prior, torch.nn.Module) else iter(())
    dtype = next((parameter.dtype for parameter in parameters), latent.dtype)
    return function(latent.to(dtype), time.to(dtype).expand(latent.shape[0]))
