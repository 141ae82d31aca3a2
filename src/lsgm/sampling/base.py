"""What samplers share: the prior they need, what they return, their numerical failures, a model's temporary modes.

A prior is anything that predicts the noise eps of z_t = m_t z_0 + sigma_t eps and knows its forward SDE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

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


class NumericalError(RuntimeError):
    """A model gave numbers that no result can be made of; callers record it as the run's outcome."""


class SolverError(NumericalError):
    """A sampler or ODE solver could not go on.

    Attributes:
        time: diffusion time t at which it stopped.
        cause: what happened there, in words.
        sample: place in its batch, from 0, of the sample that it happened to, where the solver knows.
    """

    def __init__(self, time: float, cause: str, sample: int | None = None) -> None:
        which = "" if sample is None else f" (sample {sample} of the batch, from 0)"
        super().__init__(f"solver failed at t = {time:.6g}: {cause}{which}")
        self.time = time
        self.cause = cause
        self.sample = sample


def require_finite(values: Tensor, what: str) -> None:
    """Refuse non-finite values.

    Args:
        values: tensor of any shape.
        what: name of the quantity, for the message.

    Raises:
        NumericalError: some entries are infinite or NaN; the message says how many.
    """
    finite = torch.isfinite(values)
    if not bool(finite.all()):
        count = values.numel() - int(finite.sum())
        raise NumericalError(f"{what}: {count} of {values.numel()} values are not finite")


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put every module into evaluation mode; on exit each gets its own mode back."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def batch_statistics(model: nn.Module) -> Iterator[None]:
    """Let every batch norm use the statistics of the batch at hand; running statistics are neither used nor moved.

    The authors' mode of this kind also moves them, which changes no image made in the mode.

    Source: method.md: Decoding (CelebA-HQ samples are decoded this way).
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    flags = [(norm, norm.training, norm.track_running_stats) for norm in norms]
    for norm in norms:
        norm.training = True
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm, training, tracking in flags:
            norm.training = training
            norm.track_running_stats = tracking


@contextmanager
def every_channel_active(prior: object) -> Iterator[None]:
    """Let the prior's network see its inactive channels too; the mixing logits stay, and the mask comes back on exit.

    Args:
        prior: one with a buffer `active`, such as `MixedScorePrior`; any other has no mask, and nothing happens.

    Source:(the authors' files do not keep the mask, so their evaluation is without).
    """
    mask = getattr(prior, "active", None)
    if mask is None:
        yield
        return
    prior.active = torch.ones_like(mask)
    try:
        yield
    finally:
        prior.active = mask
