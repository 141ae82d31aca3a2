"""Batch and random numbers of one training step, all keyed by (seed, step), so that a resumed run is the same run.

Dropout is the one source inside the networks; it draws from torch's global generator, which is set for every step.
Its masks alone depend on how many processes and parts of a batch there are: all else is drawn for the global batch,
of which each process takes its rows. On a GPU the next step's inputs are made while the present one computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from lsgm import distributed, randomness
from lsgm.time_sampling import TimeSample, TimeSampler


@dataclass(frozen=True)
class DiffusionNoise:
    """Noise and times of one pass of the prior.

    Attributes:
        noise: standard normals, the shape of the prior's latent.
        times: times and loss weights, each (B,).
    """

    noise: Tensor
    times: TimeSample

    def to(self, device: torch.device) -> DiffusionNoise:
        """Move all tensors."""
        return self._each(lambda values: values.to(device))

    def rows(self, rows: slice) -> DiffusionNoise:
        """Those of some samples."""
        return self._each(lambda values: values[rows])

    def _each(self, change: Callable[[Tensor], Tensor]) -> DiffusionNoise:
        changed = {field.name: change(getattr(self.times, field.name)) for field in fields(self.times)}
        return DiffusionNoise(change(self.noise), replace(self.times, **changed))


@dataclass(frozen=True)
class BatchNoise:
    """All random numbers of a step.

    Attributes:
        posterior: standard normals, one (B, *shape) per latent group.
        prior: for the prior's loss; None in pretraining.
        vae: for the VAE's loss where it has times of its own (algorithm 2), else None.
    """

    posterior: list[Tensor]
    prior: DiffusionNoise | None = None
    vae: DiffusionNoise | None = None

    def rows(self, rows: slice) -> BatchNoise:
        """Those of some samples."""
        passes = [None if diffusion is None else diffusion.rows(rows) for diffusion in (self.prior, self.vae)]
        return BatchNoise([noise[rows] for noise in self.posterior], *passes)


def posterior_noise(
    batch: int,
    shapes: Sequence[tuple[int, int, int]],
    seed: int,
    purpose: str,
    step: int,
    device: torch.device,
    rows: slice | Tensor = slice(None),
) -> list[Tensor]:
    """Standard normals (batch, *shape) for every latent group, or `rows` of them: one generator, one transfer."""
    sizes = [batch * math.prod(shape) for shape in shapes]
    flat = randomness.normal((sum(sizes),), seed, purpose, step).to(device)
    return [part.view(batch, *shape)[rows] for part, shape in zip(flat.split(sizes), shapes, strict=True)]


def diffusion_noise(
    batch: int,
    shape: Sequence[int],
    sampler: TimeSampler,
    seed: int,
    part: str,
    step: int,
    rows: slice | Tensor = slice(None),
) -> DiffusionNoise:
    """Noise and times of one pass of the prior.

    Args:
        batch: B, over all processes.
        shape: (C, r, r) of the prior's latent.
        sampler: distribution of the times.
        seed: the run's seed.
        part: `prior` or `vae`; the two never share numbers.
        step: the step they are for.
        rows: the part of the batch that is wanted.

    Returns:
        On the CPU: a batch of times is so little work that a GPU would only be kept busy with launching it.
    """
    noise = randomness.normal((batch, *shape), seed, f"diffusion noise, {part}", step)
    rho = randomness.uniform((batch,), seed, f"diffusion time, {part}", step)
    return DiffusionNoise(noise[rows], sampler.sample(rho[rows]))


def seed_dropout(seed: int, step: int, part: int = 0) -> None:
    """Set torch's global generators, which dropout draws from, to a state that belongs to the step and the rows.

    Args:
        seed: the run's seed.
        step: the step.
        part: which part of every process's rows comes next.
    """
    index = part * distributed.size() + distributed.rank()
    place = [index] if index else []
    torch.manual_seed(randomness.generator(seed, "dropout", step, *place).initial_seed())


@dataclass(frozen=True)
class StepInputs:
    """Everything that a step takes from outside.

    Attributes:
        x: (B, C, H, W), images in [-1, 1].
        noise: random numbers.
    """

    x: Tensor
    noise: BatchNoise

    def split(self, parts: int) -> list[StepInputs]:
        """Equal parts, in order; every sample keeps its noise."""
        size = len(self.x) // parts
        slices = [slice(part * size, (part + 1) * size) for part in range(parts)]
        return [StepInputs(self.x[rows], self.noise.rows(rows)) for rows in slices]


class Prefetcher:
    """Makes inputs one step ahead in a thread. They depend on the step alone, so nothing else changes.

    Args:
        make: inputs of a step.
    """

    def __init__(self, make: Callable[[int], StepInputs]) -> None:
        self._make = make
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inputs")
        self._step = -1
        self._future: Future[StepInputs] | None = None

    def __call__(self, step: int) -> StepInputs:
        """Return the inputs of a step, and begin with the next one's."""
        future = self._future if self._step == step else None
        if future is None and self._future is not None:
            # The run has gone back: what is being made is of no use, but must not be made at the same time.
            self._future.exception()
        inputs = self._make(step) if future is None else future.result()
        self._step, self._future = step + 1, self._pool.submit(self._make, step + 1)
        return inputs

    def close(self) -> None:
        """End the thread; what it is making is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
