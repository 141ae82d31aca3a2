"""The jobs behind each table, and the GPU hours that they ask for: what the workflow would run, without Snakemake."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .base import ConfigError
from .catalogue import OFFICIAL, Catalogue
from .plan import StageResources, dataset_key
from .scope import EXTRA_TABLE

EXTRA = "extra ablation"
ALL = "all of them"


@dataclass(frozen=True)
class Job:
    """One job of the workflow: a stage, and the run, data set or table that it is for."""

    stage: str
    name: str


@dataclass(frozen=True)
class Plan:
    """All jobs of a scale, by table.

    Attributes:
        tables: the jobs that each table needs; one that several tables need is in all of them.
        resources: what a job of each stage asks for.
    """

    tables: dict[str, frozenset[Job]]
    resources: StageResources

    def gpu_hours(self, jobs: Iterable[Job]) -> float:
        """GPUs times the time asked for, over these jobs, in hours: an upper bound, not a measurement."""
        needs = (getattr(self.resources, job.stage) for job in jobs)
        return sum(need.nodes * need.gpu * need.runtime for need in needs) / 60


def make_plan(
    catalogue: Catalogue, scale: str, resources: StageResources, seeds: Sequence[int] | None, share_backbone: bool
) -> Plan:
    """Work out the jobs of all tables that a scale makes.

    Args:
        catalogue: the runs.
        scale: name of a scale.
        resources: those of the scale.
        seeds: for each run; None: its own.
        share_backbone: whether all seeds of a run are trained on one VAE.

    Raises:
        ConfigError: no such scale, one without tables, or settings that are wrong.
    """
    if scale == OFFICIAL:
        raise ConfigError(f"scale {OFFICIAL}: single runs with the authors' weights, no tables; plan another scale")
    tables = {}
    for name in catalogue.scope(scale).made:
        table = EXTRA if name == EXTRA_TABLE else f"table {name}"
        seeded = catalogue.with_seeds(catalogue.runs_of_table(name, scale), seeds, scale)
        jobs = {job for run in seeded for job in jobs_of_run(catalogue, run, scale, share_backbone)}
        tables[table] = frozenset(jobs | {Job("report", table)})
    return Plan(tables | {ALL: frozenset().union(*tables.values())}, resources)


def jobs_of_run(catalogue: Catalogue, name: str, scale: str, share_backbone: bool) -> set[Job]:
    """The jobs that one run's metrics file needs, those of its backbone included."""
    return _jobs_of_model(catalogue, name, scale, share_backbone) | {Job("sample", name), Job("evaluate", name)}


def _jobs_of_model(catalogue: Catalogue, name: str, scale: str, share_backbone: bool) -> set[Job]:
    jobs = {Job("prepare", dataset_key(catalogue.settings(name, scale).data))}
    backbone = catalogue.backbone(name, share_backbone)
    if backbone is None:
        return jobs | {Job("pretrain", name)}
    return jobs | {Job("train", name)} | _jobs_of_model(catalogue, backbone, scale, share_backbone)
