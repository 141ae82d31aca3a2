"""Stateless randomness: every draw comes from a generator keyed by (seed, purpose, index ...).

Nothing is drawn from a global generator, so a resumed run is the same run and sample i is sample i at any batch size
and on any device: draws are made on the CPU and moved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def generator(seed: int, purpose: str, *index: int) -> torch.Generator:
    """Return a fresh CPU generator for one draw.

    Args:
        seed: the run's seed.
        purpose: what the draw is for, such as `"diffusion noise"`; two purposes never share numbers.
        index: step, epoch or global sample index.
    """
    key = repr((seed, purpose, *map(int, index))).encode()
    return torch.Generator().manual_seed(int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") >> 1)


def normal(shape: Sequence[int], seed: int, purpose: str, *index: int) -> Tensor:
    """Standard normals of `shape`, float32, from one generator: for draws that belong to a step."""
    return torch.randn(tuple(shape), generator=generator(seed, purpose, *index))


def uniform(shape: Sequence[int], seed: int, purpose: str, *index: int) -> Tensor:
    """Uniforms on [0, 1) of `shape`, float32, from one generator: for draws that belong to a step."""
    return torch.rand(tuple(shape), generator=generator(seed, purpose, *index))


def normal_rows(samples: Iterable[int], shape: Sequence[int], seed: int, purpose: str, *index: int) -> Tensor:
    """Standard normals (len(samples), *shape): row k depends on samples[k] alone, not on the batch around it."""
    return torch.stack([normal(shape, seed, purpose, sample, *index) for sample in samples])


def uniform_rows(samples: Iterable[int], shape: Sequence[int], seed: int, purpose: str, *index: int) -> Tensor:
    """Uniforms on [0, 1), (len(samples), *shape): row k depends on samples[k] alone."""
    return torch.stack([uniform(shape, seed, purpose, sample, *index) for sample in samples])


def permutation(count: int, seed: int, purpose: str, *index: int) -> Tensor:
    """A permutation of range(count)."""
    return torch.randperm(count, generator=generator(seed, purpose, *index))
