"""The measurement of `lsgm cost`: every model with every sampler in turns, batch by batch.

One batch of each, then the next batch of each, so that a machine that gets busy slows all of them alike; neighbours are
the models with the same sampler. The images of all batches count for the Fréchet distance, the time of the first batch
does not: it pays for what later ones find ready.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Literal

import torch
from torch import Tensor

from lsgm.cli.opened_run import OpenedRun
from lsgm.config import SampleConfig
from lsgm.progress_log import told
from lsgm.reporting.records.cost_measurement import CostPoint, Seconds
from lsgm.reporting.records.metrics import FrechetMetrics
from lsgm.sampling import ImageBatch, NumericalError, iterate_images

from .image_distance import measure_distance
from .parts_clock import Instant, PartsClock, PartTimes
from .samples_file import as_kept

PARTS = ("network", "prior", "decoder", "batch")


@dataclass
class Series:
    """One model with one sampler, and its batches so far.

    Attributes:
        run: the opened model.
        sampler: name of the sampler.
        settings: how it draws.
        batches: draws the next batch.
        images: uint8 (B, C, H, W) of each batch, as `lsgm sample` keeps them.
        times: of each batch.
        nfe: evaluations of each batch, and of an image of it.
        problem: why there is no more, if it could not go on.
    """

    run: OpenedRun
    sampler: str
    settings: SampleConfig
    batches: Iterator[ImageBatch]
    images: list[Tensor] = field(default_factory=list)
    times: list[PartTimes] = field(default_factory=list)
    nfe: list[tuple[int, float]] = field(default_factory=list)
    problem: str | None = None

    def draw(self) -> None:
        """Draw and time one batch; nothing, if an earlier one failed."""
        if self.problem is not None:
            return
        clock = PartsClock(torch.device(self.run.device))
        try:
            with clock.watching(self.run.model):
                batch = next(self.batches)
                self.times.append(clock.finish())
        except NumericalError as error:
            self.problem = f"{self.sampler}: {error}"
            return
        self.nfe.append((batch.nfe, batch.nfe_per_image))
        self.images.append(as_kept(batch.images, self.run.config.data.pad, self.run.dataset.image_shape))

    def seconds(self, kind: Literal["wall", "cpu"]) -> list[float]:
        """Seconds of the batches that count, on the wall or on the processors."""
        return [getattr(times.batch, kind) for times in self.times[1:]]

    def point(self, reference: Series | None, cache: Path) -> CostPoint:
        """The numbers of this series; none if it failed.

        Args:
            reference: whose time is 1; None: there is none.
            cache: file for the statistics of the real images.
        """
        point = CostPoint(sampler=self.sampler, solver=self.settings.solver_words)
        if self.problem is not None:
            return point
        wall, counted = self.seconds("wall"), self.times[1:]
        numbers: dict[str, object] = {part: _median([getattr(times, part) for times in counted]) for part in PARTS}
        numbers |= {
            "nfe": fmean(of_batch for of_batch, _ in self.nfe),
            "nfe_per_image": fmean(of_image for _, of_image in self.nfe),
            "fastest": min(wall),
            "slowest": max(wall),
            "frechet": self._distance(cache),
        }
        if reference is not None and reference.problem is None:
            kinds = {"ratio": "wall", "cpu_ratio": "cpu"}
            numbers |= {name: _ratio(self.seconds(kind), reference.seconds(kind)) for name, kind in kinds.items()}
        return point.model_copy(update=numbers)

    def _distance(self, cache: Path) -> FrechetMetrics | None:
        run = self.run
        return measure_distance(torch.cat(self.images), run.dataset, run.config, run.root, run.device, cache)


def draw_in_turns(
    runs: Mapping[str, OpenedRun], samplers: Mapping[str, Mapping[str, SampleConfig]]
) -> dict[str, list[Series]]:
    """Draw all images of all runs with all samplers.

    Args:
        runs: those that can be sampled, by name.
        samplers: of each of these runs, how it draws with each sampler; all agree in names and counts.

    Returns:
        For each run a series per sampler.
    """
    found = {
        name: [
            Series(run, sampler, settings, iterate_images(run.model, settings, run.config.seed, run.device))
            for sampler, settings in samplers[name].items()
        ]
        for name, run in runs.items()
    }
    rounds = min((num_batches(series[0].settings) for series in found.values()), default=0)
    for _ in told(range(rounds), "rounds, a batch of each model with each sampler"):
        _draw_one_of_each(list(found.values()))
    return found


def num_batches(settings: SampleConfig) -> int:
    """Whole batches that these settings draw."""
    return settings.num_samples // settings.batch_size


def points_of(series: Sequence[Series], reference: Series | None) -> list[CostPoint]:
    """The points of one run, with Fréchet distances.

    Args:
        series: of the run, one per sampler.
        reference: whose time is 1; None: there is none.
    """
    with tempfile.TemporaryDirectory() as folder:
        return [one.point(reference, Path(folder) / "reference.safetensors") for one in series]


def _draw_one_of_each(series: Sequence[Sequence[Series]]) -> None:
    """One batch of each: for each sampler, every model."""
    for of_one_sampler in zip(*series, strict=True):
        for one in of_one_sampler:
            one.draw()


def _ratio(own: Sequence[float], others: Sequence[float]) -> float:
    """Median over rounds of the quotient within a round: the load of the machine changes from round to round."""
    return median(left / right for left, right in zip(own, others, strict=True))


def _median(times: Sequence[Instant]) -> Seconds:
    return Seconds(wall=median(time.wall for time in times), cpu=median(time.cpu for time in times))
