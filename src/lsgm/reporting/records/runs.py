"""The runs that stand in a table: each has a metrics file per seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lsgm.config import ConfigError

from .metrics import Metrics, read_metrics

MEASURED = {
    "nelbo": ("unit", "num_images"),
    "nll": ("unit", "num_images", "num_iw_samples"),
    "frechet": ("name", "protocol", "num_samples", "num_reference", "weights_sha256"),
}
IsCurrent = Callable[[Metrics], bool | None]


@dataclass(frozen=True)
class SeedRun:
    """One seed of a run.

    Attributes:
        file: the metrics file.
        metrics: its content.
        is_current: whether the settings in `config` are still those of the run; None: not known.
    """

    file: Path
    metrics: Metrics
    is_current: bool | None = None

    @property
    def source(self) -> str:
        """The metrics file as it was given."""
        return self.file.as_posix()

    @property
    def seed(self) -> int:
        """The seed."""
        return self.metrics.provenance.seed


@dataclass(frozen=True)
class Run:
    """One run with all its seeds, in increasing order; most runs have one."""

    name: str
    seeds: tuple[SeedRun, ...]

    @property
    def metrics(self) -> Metrics:
        """Metrics that stand for all seeds in what they share; those of a seed that did not fail, if there is one."""
        return next((seed.metrics for seed in self.seeds if seed.metrics.status == "ok"), self.seeds[0].metrics)

    @property
    def sources(self) -> tuple[str, ...]:
        """The metrics files as they were given."""
        return tuple(seed.source for seed in self.seeds)

    @property
    def reason(self) -> str | None:
        """Why seeds failed: once if there is one seed or all say the same."""
        failed = {seed.seed: seed.metrics.reason or "" for seed in self.seeds if seed.metrics.status != "ok"}
        if len(set(failed.values())) == 1 and len(failed) == len(self.seeds):
            return next(iter(failed.values()))
        return "; ".join(f"seed {seed}: {reason}" for seed, reason in failed.items()) or None


def unknown(metrics: Metrics) -> bool | None:
    """For tables that are made without the settings: nothing is known about them."""
    return None


def read_run(name: str, files: Sequence[Path], is_current: IsCurrent) -> Run:
    """Read the metrics files of one run.

    Args:
        name: how the table calls it.
        files: one for each seed.
        is_current: see `SeedRun`.

    Raises:
        ConfigError: absent or damaged file, a seed that is there twice, or files of different runs.
    """
    found = [(file, read_metrics(file)) for file in files]
    seeds = [SeedRun(file, metrics, is_current(metrics)) for file, metrics in found]
    seeds.sort(key=lambda seed: seed.seed)
    first = seeds[0]
    for before, seed in pairwise(seeds):
        if before.seed == seed.seed:
            raise ConfigError(f"{seed.source}: seed {seed.seed} of {name} is also in {before.source}; name it once")
    for seed in seeds[1:]:
        for what, mine, others in _identity(first.metrics, seed.metrics):
            if mine != others:
                raise ConfigError(
                    f"{seed.source}: {what} is {others!r}, but {mine!r} in {first.source}; only the seed may differ"
                )
    return Run(name, tuple(seeds))


def _identity(one: Metrics, other: Metrics) -> list[tuple[str, object, object]]:
    """What must not differ between the seeds of a run: what it is, and what was measured where both have a number."""
    pairs = [(name, getattr(one, name), getattr(other, name)) for name in ("run", "scale", "kind", "scaled_down")]
    pairs.append(("data checksum", one.data.checksum, other.data.checksum))
    for part, names in MEASURED.items():
        mine, others = getattr(one, part), getattr(other, part)
        if mine is not None and others is not None:
            pairs += [(f"{part}.{name}", getattr(mine, name), getattr(others, name)) for name in names]
    return pairs
