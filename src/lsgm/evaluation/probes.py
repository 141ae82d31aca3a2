"""Random vectors n with E[n n^T] = I, with which n^T J n estimates the trace of J (Hutchinson 1990).

Signs (Rademacher) are exact for what is on the diagonal of J; normals are not, and are there for comparison. All draws
are keyed by the image's index, so that they are the same at any batch size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, prod
from typing import Literal

import torch
from torch import Tensor

from lsgm.randomness import generator, normal_rows, uniform_rows
from lsgm.sampling import state_dtype

PROBE_PURPOSE = "likelihood: trace probe"
FRESH_PURPOSE = "likelihood: trace probe of one evaluation"

ProbeKind = Literal["rademacher", "gaussian"]


def draw_probes(
    indices: Iterable[int], shape: Sequence[int], kind: ProbeKind, num_probes: int, seed: int
) -> list[Tensor]:
    """Draw probes that stay fixed during a solve, keyed by sample index and probe number.

    Args:
        indices: index of each sample in its data set.
        shape: (C, r, r) of the latent.
        kind: signs, which are exact for diagonal Jacobians, or standard normals.
        num_probes: probes per sample.
        seed: of the draws.

    Returns:
        `num_probes` tensors (B, C, r, r).

    Source: Hutchinson (1990); method.md: Likelihood.
    """
    indices = list(indices)
    if kind == "gaussian":
        return [normal_rows(indices, shape, seed, PROBE_PURPOSE, number) for number in range(num_probes)]
    uniforms = (uniform_rows(indices, shape, seed, PROBE_PURPOSE, number) for number in range(num_probes))
    return [torch.where(uniform < 0.5, -1.0, 1.0) for uniform in uniforms]


class FreshProbes:
    """Probes drawn anew for every evaluation of a solve, keyed by sample index, probe number and evaluation number.

    Signs are drawn for a block of four evaluations, and four patterns of signs over the places of the latent, the same
    on each 2x2 square, make the probes of its evaluations from them. Each probe by itself is as random as without, and
    the mean over a block is that of four independent probes or better: what couples a place with its neighbours, which
    in convolutional networks is much, cancels as far as the Jacobian is the same at the four. On a trained model (8
    channels of 4x4) this took about a third off the variance; patterns over the channels added to it.

    All bits of an image come from one generator per probe number, and travel to the device once: a generator for each
    evaluation would cost more than a small network.

    Args:
        indices: index of each sample in its data set.
        shape: (C, r, r) of the latent.
        kind: see `draw_probes`; normals are drawn for each evaluation.
        num_probes: independent probes of each evaluation.
        num_evaluations: how many evaluations there will be at most; the draws do not depend on it.
        seed: of the draws.
        device: where they are needed, in solver precision.

    Source: Stathopoulos, Laeuchli and Orginos (2013), Hadamard vectors for probing.
    """

    BLOCK = 4

    def __init__(
        self,
        indices: Iterable[int],
        shape: Sequence[int],
        kind: ProbeKind,
        num_probes: int,
        num_evaluations: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self._indices, self._shape, self._kind, self._seed = list(indices), tuple(shape), kind, seed
        self._device, self._dtype, self._num_probes = device, state_dtype(device), num_probes
        if kind == "rademacher":
            size = (ceil(num_evaluations / self.BLOCK), ceil(prod(self._shape) / 8))
            self._bytes = torch.stack([self._bytes_of(number, size) for number in range(num_probes)]).to(device)
            self._bits = torch.arange(8, dtype=torch.uint8, device=device)
            self._patterns = _patterns(self._shape).to(device, self._dtype)

    def _bytes_of(self, number: int, size: tuple[int, int]) -> Tensor:
        generators = (generator(self._seed, FRESH_PURPOSE, index, number) for index in self._indices)
        return torch.stack([torch.randint(256, size, dtype=torch.uint8, generator=one) for one in generators])

    def __call__(self, evaluation: int) -> Tensor:
        """Probes of one evaluation, (num_probes, B, C, r, r)."""
        if self._kind == "gaussian":
            key = (self._indices, self._shape, self._seed, FRESH_PURPOSE)
            rows = [normal_rows(*key, number, evaluation) for number in range(self._num_probes)]
            return torch.stack(rows).to(self._device, self._dtype)
        block, place = divmod(evaluation, self.BLOCK)
        bits = (self._bytes[:, :, block, :, None] >> self._bits) & 1
        signs = 1 - 2 * bits.flatten(2)[:, :, : prod(self._shape)].to(self._dtype)
        signs = signs.view(self._num_probes, len(self._indices), *self._shape)
        # The patterns after the first change places from block to block: alternating signs cancel best.
        return signs * self._patterns[0 if place == 0 else 1 + (place + block) % 3]


def _patterns(shape: Sequence[int]) -> Tensor:
    """Four patterns of signs, (4, r, r), orthogonal on every 2x2 square: none, columns, rows, chequers."""
    rows, columns = (1.0 - 2 * (torch.arange(size) % 2) for size in shape[-2:])
    ones = torch.ones(shape[-2], shape[-1])
    return torch.stack([ones, columns * ones, rows[:, None] * ones, rows[:, None] * columns])
