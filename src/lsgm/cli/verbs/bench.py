"""`lsgm bench`: what training, sampling and likelihoods cost on this machine, each against something."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from pathlib import Path

from lsgm.cli import options
from lsgm.config import ConfigError

SCALES = ("quick", "mnist", "cifar10")


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "bench",
        help="measure what training, sampling and likelihoods cost on this machine",
        description="Time training steps, their options, samplers and likelihoods, each in turns with a naive baseline "
        "or a reference; training steps also against the roofline. Prints the tables; progress goes to standard error.",
    )
    parser.add_argument("names", nargs="*", metavar="NAMES", help="benchmarks to run (default: all; see --list)")
    parser.add_argument("--list", action="store_true", help="list the benchmarks and stop")
    parser.add_argument(
        "--scale",
        choices=SCALES,
        default="mnist",
        help="networks and sizes: quick (a minute), mnist (a quarter of an hour on two cores), cifar10 (for a GPU)",
    )
    parser.add_argument("--quick", action="store_const", dest="scale", const="quick", help="the same as --scale quick")
    parser.add_argument("--repeats", type=int, metavar="R", help="rounds of each comparison (default: the scale's)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write all rows and facts about the machine (.json); if it is there, benchmarks not run again stay in it",
    )
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the tables (.md)")
    options.add_compute(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure; files are written anew after every benchmark, so that a run that is stopped leaves what it has."""
    from lsgm.bench.report import BENCHMARKS

    for name in args.names:
        if name not in BENCHMARKS:
            raise ConfigError(f"{name}: no such benchmark; there are {', '.join(BENCHMARKS)}")
    names = [name for name in BENCHMARKS if name in args.names or not args.names]
    if args.list:
        for name in names:
            print(f"{name + ':':<12}{BENCHMARKS[name].title}")
        return
    if args.repeats is not None and args.repeats < 1:
        raise ConfigError(f"--repeats {args.repeats}: must be at least 1")
    for option, path in (("--out", args.out), ("--table", args.table)):
        if path is not None:
            options.require_output_folder(path, option)
    print(_measure(args, names, options.start_compute(args)), end="")


def _measure(args: argparse.Namespace, names: list[str], device: str) -> str:
    """Run benchmarks, write the files, and return the tables."""
    from dataclasses import replace

    import torch

    from lsgm.bench.networks import SCALES
    from lsgm.bench.report import Report, Section, measure, read_report
    from lsgm.cli.records.provenance import timestamp
    from lsgm.whole_file import write_text_whole

    scale = SCALES[args.scale]
    scale = replace(scale, rounds=args.repeats or scale.rounds)
    report = Report() if args.out is None else read_report(args.out)
    for name in names:
        facts = {"date": timestamp(), "scale": scale.name, "rounds": scale.rounds, "load_at_the_start": _load()}
        started, rows = time.monotonic(), []
        for row in measure(name, scale, torch.device(device)):
            print(f"{time.monotonic() - started:6.0f} s  {name}: {row.case}", file=sys.stderr, flush=True)
            rows.append(row)
        facts |= {"load_at_the_end": _load(), "wall_seconds": round(time.monotonic() - started)}
        report.benchmarks[name] = Section(machine=facts | _machine(device), rows=rows)
        if args.out is not None:
            write_text_whole(args.out, report.json_text())
        if args.table is not None:
            write_text_whole(args.table, report.markdown())
    return report.markdown()


def _machine(device: str) -> dict[str, object]:
    """Facts about where this was measured, by name."""
    import torch

    from lsgm.cli.jobs import machine
    from lsgm.cli.records.provenance import code_and_machine

    facts = code_and_machine(device)
    commit = facts["commit"]
    return {
        "device": facts["device"],
        "processor": _processor(),
        "cores": machine.cpus_allowed(),
        "threads": torch.get_num_threads(),
        "commit": commit and commit + (" with changes" if facts["dirty"] else ""),
        "versions": facts["versions"],
    }


def _load() -> float | None:
    """Processes that wanted to run in the last minute, on average; above the number of cores times are too long."""
    try:
        return round(os.getloadavg()[0], 1)
    except (AttributeError, OSError):
        return None


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Model of the processor where the system says it, else its architecture."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
