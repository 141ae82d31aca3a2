"""Batches of network inputs as functions of the step: nothing is iterated, so any step of a run can be had at once.

The order is a permutation keyed by (seed, epoch); binarisation and flips are keyed by (seed, step) in training and by
(seed, image) in evaluation. The whole set stays in memory as bytes, on the device of the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lsgm.config import ConfigError, DataConfig
from lsgm.randomness import permutation, uniform, uniform_rows

from .transforms import to_model_input

PART_SEED = 0


class TrainBatches:
    """Training batches; the images of an epoch that fill no whole batch are left out, others in each epoch.

    Args:
        images: uint8 (N, C, H, W); moved to the device whole.
        config: how images become inputs.
        batch_size: images per batch over all processes.
        seed: the run's seed.
        device: where the batches are made.

    Raises:
        ConfigError: fewer images than one batch needs.
    """

    def __init__(
        self, images: Tensor, config: DataConfig, batch_size: int, seed: int, device: torch.device | str
    ) -> None:
        if len(images) < batch_size:
            raise ConfigError(
                f"batch_size is {batch_size}, but there are {len(images)} training images; lower it, "
                "or raise data.num_train"
            )
        self._images = images.to(device)
        self._config = config
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    @property
    def size(self) -> int:
        """Images per batch over all processes."""
        return self._batch_size

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one pass over the images, at least 1."""
        return len(self._images) // self._batch_size

    def indices(self, step: int) -> Tensor:
        """Which images make up the batch of a step: int64 (batch_size,), on the CPU."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._order, self._epoch = permutation(len(self._images), self._seed, "order", epoch), epoch
        return self._order[position * self._batch_size : (position + 1) * self._batch_size]

    def batch(self, step: int, rows: slice | Tensor = slice(None)) -> Tensor:
        """Inputs of a step, the same whenever and wherever it is asked for.

        Args:
            step: counted from 0 over the whole run.
            rows: the part of the batch that this process works on; draws are those of the whole batch.

        Returns:
            float32 (batch_size, C, H + 2 pad, W + 2 pad) in [-1, 1], or the rows of it.
        """
        device = self._images.device
        images = self._images[self.indices(step)[rows].to(device)]
        uniforms = flips = None
        if self._config.binarise:
            shape = (self._batch_size, *self._images.shape[1:])
            uniforms = uniform(shape, self._seed, "binarisation", step)[rows].to(device)
        if self._config.flip:
            flips = (uniform((self._batch_size,), self._seed, "flips", step) < 0.5)[rows].to(device)
        return to_model_input(images, self._config, uniforms, flips)


def part_of(count: int, limit: int | None) -> list[int]:
    """Which images make up a part of a set that is measured or shown: a keyed draw without replacement.

    The first images would be those of one class where a set is ordered. The draw does not depend on a run's seed, so
    that runs are compared on the same images; a smaller part lies within a larger one.

    Args:
        count: images of the whole set.
        limit: images wanted at most; None for all.

    Returns:
        Increasing indices, min(count, limit) of them.
    """
    if limit is None or limit >= count:
        return list(range(count))
    return permutation(count, PART_SEED, "part of a set")[:limit].sort().values.tolist()


def eval_batches(
    images: Tensor, config: DataConfig, batch_size: int, seed: int, limit: int | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Go through images once, in order, without flips.

    Args:
        images: uint8 (N, C, H, W).
        config: how images become inputs.
        batch_size: images per batch; the last may be smaller. The rows do not depend on it.
        seed: with the index of an image it decides its binarisation.
        limit: only a part of so many images, see `part_of`.

    Yields:
        Indices int64 (B,) and inputs float32 (B, C, H + 2 pad, W + 2 pad), on the device of the images.
    """
    part = part_of(len(images), limit)
    for start in range(0, len(part), batch_size):
        indices = part[start : start + batch_size]
        yield torch.tensor(indices), eval_batch(images, config, indices, seed)


def eval_batch(images: Tensor, config: DataConfig, indices: Sequence[int], seed: int) -> Tensor:
    """Network inputs of the images with these indices, as in `eval_batches`."""
    uniforms = None
    if config.binarise:
        rows = uniform_rows(indices, images.shape[1:], seed, "evaluation binarisation")
        uniforms = rows.to(images.device)
    return to_model_input(images[torch.tensor(indices, device=images.device)], config, uniforms)
