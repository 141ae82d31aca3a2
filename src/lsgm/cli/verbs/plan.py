"""`lsgm plan`: how many jobs each table takes, and how many GPU hours they ask for."""

from __future__ import annotations

import argparse
from pathlib import Path

from lsgm.config import ConfigError
from lsgm.config.catalogue import Catalogue
from lsgm.config.jobs import ALL, Plan, make_plan
from lsgm.config.plan import STAGES, read_resources


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "plan",
        help="count the jobs and GPU hours of each table",
        description="Count the jobs of each table at a scale, and the GPU hours that they ask for: an upper bound from "
        "the scale's `resources`, not a measurement. `snakemake --dry-run` lists the jobs that are still to be done.",
    )
    parser.add_argument("--scale", type=Path, required=True, metavar="FILE", help="e.g. config/scales/paper.yaml")
    parser.add_argument(
        "--seeds", type=int, nargs="+", metavar="N", help="seeds of every run (default: each experiment's own)"
    )
    parser.add_argument(
        "--own-backbones", action="store_true", help="each seed trains its own VAE (share_backbone: false)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the plan."""
    if args.seeds is not None and (min(args.seeds) < 0 or len(set(args.seeds)) < len(args.seeds)):
        raise ConfigError(f"--seeds {' '.join(map(str, args.seeds))}: seeds are whole numbers from 0, each once")
    resources = read_resources(args.scale)
    catalogue = Catalogue(args.scale.parent.parent)
    plan = make_plan(catalogue, args.scale.stem, resources, args.seeds, not args.own_backbones)
    for line in lines(plan, args.scale, args.seeds, args.own_backbones):
        print(line)


def lines(plan: Plan, scale: Path, seeds: list[int] | None, own_backbones: bool) -> list[str]:
    """The plan as two tables: jobs by table, resources by stage."""
    chosen = "each run's own seed" if seeds is None else f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''} of each run"
    backbones = ", each with its own VAE backbone" if seeds and own_backbones else ""
    rows = [["jobs of", *STAGES, "total", "GPU hours"]]
    for table, jobs in plan.tables.items():
        counts = [sum(job.stage == stage for job in jobs) for stage in STAGES]
        rows.append([table, *map(str, counts), str(len(jobs)), f"{plan.gpu_hours(jobs):,.1f}"])
    needs = [["a job of", "threads", "memory", "time", "GPUs"]]
    for stage in STAGES:
        need = getattr(plan.resources, stage)
        time = f"{need.runtime // 60}:{need.runtime % 60:02d} h"
        gpus = str(need.gpu) if need.nodes == 1 else f"{need.nodes} x {need.gpu}"
        needs.append([stage, str(need.threads), f"{need.mem_mb / 1000:g} GB", time, gpus])
    return [
        f"Scale {scale.stem}, {chosen}{backbones}.",
        f"GPU hours are those asked for in {scale}: upper bounds, not measured.",
        f"A job that several tables need is counted in each of them, and once in {ALL!r}.",
        "",
        *_aligned(rows),
        "",
        *_aligned(needs),
    ]


def _aligned(rows: list[list[str]]) -> list[str]:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first = widths[0]
    return [
        row[0].ljust(first) + "".join(cell.rjust(width + 2) for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
