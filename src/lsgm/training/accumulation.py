"""Gradient accumulation: a step's batch goes through the networks in k parts, of which one is in memory at a time.

Losses are means over samples, so the mean of the parts' gradients is the gradient of the batch, to rounding, once all
that does not belong to a sample is the same for every part:

- The regularisers, and their power iterations, count once: with the last part, k-fold.
- KL balancing's coefficients are of |KL| averaged over the whole batch, in all processes. While they are in use the
  parts first go through the networks once without gradient: about a third more work, until kl_coeff reaches 1.
- Draws are those of the batch, of which each part takes its rows: part p of all processes together is the p-th of k
  slices of the global batch, so results depend on the number of processes by rounding only.
- Dropout's masks belong to the rows at hand: one process draws in k parts what k processes draw in one.
- Clipping, the check for non-finite numbers, the loss scale and the one message between processes come afterwards.

What is not the same: dropout's masks, which depend on the number of parts; and batch norms in training mode, which
normalise each part by its own statistics (over all processes) and move their running ones k times a step, as they
would at a batch k times smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lsgm import distributed
from lsgm.algorithms import StepGradients, Terms, collect_terms
from lsgm.config import ConfigError
from lsgm.objective import KlWeights, Nelbo, balancing_coefficients
from lsgm.training.noise import StepInputs, seed_dropout

# Gradients of some samples; the last argument is how many times the regularisers count.
PartGradients = Callable[[StepInputs, KlWeights, float], StepGradients]


class Accumulation:
    """Takes the gradients of a step in parts of equal size.

    Args:
        parts: k; with 1 the batch is taken whole, and nothing here does anything.
        batch_size: of the global batch.
        section: of the settings, for errors.
        network: all of it; its running statistics rest while coefficients are found out.
        seed: of the run.
        has_dropout: whether the networks draw from torch's global generator.

    Attributes:
        rows: of the global batch, those that this process works on, part after part.

    Raises:
        ConfigError: the batch cannot be dealt to the processes, or each one's share to the parts, evenly.
    """

    def __init__(
        self, parts: int, batch_size: int, section: str, network: nn.Module, seed: int, has_dropout: bool = False
    ) -> None:
        self.rows = _rows(parts, batch_size, section)
        self._parts = parts
        self._network, self._seed, self._has_dropout = network, seed, has_dropout

    def __call__(self, inputs: StepInputs, step: int, weights: KlWeights, work: PartGradients) -> StepGradients:
        """Return the gradients and terms of the whole batch.

        Args:
            inputs: of the step, this process's rows.
            step: its number.
            weights: how KL terms enter L_q.
            work: gradients of some of the rows.
        """
        if self._parts == 1:
            return work(inputs, weights, 1.0)
        if weights.balances:
            weights = replace(weights, coefficients=self._coefficients(inputs, step, weights, work))
        total, terms = None, []
        for index, part in enumerate(inputs.split(self._parts)):
            self._seed_dropout(step, index)
            found = work(part, weights, float(self._parts) if index == self._parts - 1 else 0.0)
            total = _add_share(total, found, 1 / self._parts)
            terms.append(found.terms)
            # Before the next part: its gradients need not lie beside two others.
            del found
        return StepGradients(*total, _whole(terms))

    @torch.no_grad()
    def _coefficients(self, inputs: StepInputs, step: int, weights: KlWeights, work: PartGradients) -> Tensor:
        """KL balancing's coefficients of the whole batch; the same draws and masks will be met again."""
        kl = []
        with _running_statistics_at_rest(self._network):
            for index, part in enumerate(inputs.split(self._parts)):
                self._seed_dropout(step, index)
                kl.append(work(part, weights, 0.0).terms.nelbo.kl)
        return balancing_coefficients(torch.cat(kl), weights.sizes)

    def _seed_dropout(self, step: int, index: int) -> None:
        if self._has_dropout:
            seed_dropout(self._seed, step, index)


def counted(regulariser: Callable[[], Tensor | None], times: float) -> Callable[[], Tensor | None]:
    """Let a regulariser count `times` times; it is not even called for 0 times."""
    if times == 1:
        return regulariser

    def value() -> Tensor | None:
        once = regulariser() if times else None
        return None if once is None else times * once

    return value


def _rows(parts: int, batch_size: int, section: str) -> slice | Tensor:
    own = distributed.same_rows(batch_size, f"{section}.batch_size")
    size, rest = divmod(own.stop - own.start, parts)
    if rest:
        count = own.stop - own.start
        raise ConfigError(
            f"{section}.accumulate = {parts} does not divide the {count} images of a batch that each of "
            f"{distributed.size()} processes has; take a divisor of {count}, or another number of processes"
        )
    if parts == 1 or distributed.size() == 1:
        return own
    starts = [(part * distributed.size() + distributed.rank()) * size for part in range(parts)]
    return torch.cat([torch.arange(start, start + size) for start in starts])


@contextmanager
def _running_statistics_at_rest(network: nn.Module) -> Iterator[None]:
    """Inside the block no batch norm moves its running statistics; what it normalises by does not change."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.training]
    tracking = [norm.track_running_stats for norm in norms]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm, tracks in zip(norms, tracking, strict=True):
            norm.track_running_stats = tracks


def _add_share(
    total: tuple[list[Tensor] | None, ...] | None, found: StepGradients, share: float
) -> tuple[list[Tensor] | None, ...]:
    """Add a part's gradients, each multiplied by `share`; what autograd returned may share memory, so it is kept."""
    gradients = (found.vae, found.prior)
    if total is None:
        return tuple(None if part is None else torch._foreach_mul(part, share) for part in gradients)
    for sums, part in zip(total, gradients, strict=True):
        if part is not None:
            torch._foreach_add_(sums, part, alpha=share)
    return total


def _whole(terms: Sequence[Terms]) -> Terms:
    """Terms of the batch: samples in order, scalars averaged; a regulariser is in the last part alone, k-fold."""
    bounds = [part.nelbo for part in terms]
    bound = Nelbo(
        torch.cat([part.reconstruction for part in bounds]),
        [torch.cat(group) for group in zip(*(part.channel_kl for part in bounds), strict=True)],
        torch.cat([part.kl for part in bounds]),
    )
    scalars = {
        name: sum(part.scalars[name] for part in terms if name in part.scalars) / len(terms)
        for name in terms[-1].scalars
    }
    return collect_terms(bound, **scalars)
