"""What one step of training gives: gradients for each network and the terms of the losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .objective import Nelbo
from .precision import Precision


@dataclass(frozen=True)
class Terms:
    """Losses and their parts in one step, without gradient.

    Attributes:
        scalars: 0-d tensors by name; the losses are those that gradients were taken of, regularisers included.
        nelbo: the bound by parts, unannealed.
    """

    scalars: dict[str, Tensor]
    nelbo: Nelbo

    @property
    def losses(self) -> dict[str, Tensor]:
        """The scalars that must be finite for an update."""
        return {name: value for name, value in self.scalars.items() if name.startswith("loss")}


@dataclass(frozen=True)
class StepGradients:
    """Gradients at one and the same parameter values, multiplied by the loss scale of the precision.

    Attributes:
        vae: of L_q with respect to the VAE's parameters, in their order; None if the VAE is frozen.
        prior: of the prior's loss with respect to its parameters; None in pretraining.
        terms: the losses.
    """

    vae: tuple[Tensor, ...] | None
    prior: tuple[Tensor, ...] | None
    terms: Terms


def gradients_of(
    loss: Tensor, parameters: Sequence[Tensor], precision: Precision, keep_graph: bool = False
) -> tuple[Tensor, ...]:
    """Gradient of a loss with respect to `parameters` and nothing else; zeros where it does not depend on one.

    Under `torch.no_grad()` there is none: an algorithm then gives its terms alone.
    """
    if not torch.is_grad_enabled():
        return ()
    return torch.autograd.grad(
        precision.scaled(loss), parameters, retain_graph=keep_graph, allow_unused=True, materialize_grads=True
    )


def collect_terms(bound: Nelbo, **scalars: Tensor | None) -> Terms:
    """Detach everything and add the means of the bound's parts; scalars that are None are left out."""
    bound = Nelbo(bound.reconstruction.detach(), [kl.detach() for kl in bound.channel_kl], bound.kl.detach())
    reconstruction, kl = bound.reconstruction.mean(), bound.kl.mean(dim=0).sum()
    means = {"nelbo": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
    given = {name: value.detach() for name, value in scalars.items() if value is not None}
    return Terms(given | means, bound)


def with_regularisers(loss: Tensor, *regularisers: Tensor | None) -> Tensor:
    """Add the regularisers that there are to a loss."""
    for regulariser in regularisers:
        if regulariser is not None:
            loss = loss + regulariser
    return loss


def step_gradients(
    bound: Nelbo,
    gradients: tuple[tuple[Tensor, ...], tuple[Tensor, ...]],
    losses: tuple[Tensor, Tensor | None],
    regularisers: tuple[Tensor | None, Tensor | None],
) -> StepGradients:
    """Put the outcome of a joint step together; every pair is the VAE's and the prior's."""
    names = ("loss_vae", "loss_prior", "regulariser_vae", "regulariser_prior")
    scalars = dict(zip(names, (*losses, *regularisers), strict=True))
    return StepGradients(*gradients, collect_terms(bound, **scalars))
