"""`lsgm doctor`: what this process sees, so that a job that would fail on its node says why before it starts."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from lsgm import data_files
from lsgm.cli import options
from lsgm.cli.jobs import machine
from lsgm.cli.records.provenance import commit, versions
from lsgm.config import ConfigError, ExperimentConfig, load_experiment

T = TypeVar("T")

SLURM_FIELDS = {"Partition": "partition", "TRES": "has", "TimeLimit": "time limit", "NodeList": "nodes"}
"""What `scontrol show job` says of a job, and how it is called here."""


def add_parser(verbs: argparse._SubParsersAction) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "doctor",
        help="say what this machine, or this batch job, offers: devices, memory, data, versions",
        description="Print what this process sees: versions, CPUs, memory, devices, scratch space, data sets, weights "
        "of the feature networks, the Slurm job. What is asked for by an option and is not here ends it with exit "
        "code 2 and one line.",
    )
    group = parser.add_argument_group("what must be here")
    options.add_device(group)
    group.add_argument("--gpus", type=int, default=0, metavar="N", help="number of CUDA devices (default: 0)")
    options.add_data_root(group)
    group.add_argument("--config", type=Path, metavar="FILE", help="experiment whose data and weights must be here")
    group.add_argument("--scale", type=Path, metavar="FILE", help="scale file of that experiment")
    group.add_argument("--cell", help="cell of Table 6 of that experiment")
    parser.set_defaults(run=run, threads=None)


def run(args: argparse.Namespace) -> None:
    """Print the report, then refuse if anything that was asked for is missing."""
    config = load_experiment(args.config, args.scale, args.cell, []) if args.config else None
    missing: list[str] = []
    for title, text in _report(args, config, missing):
        print(f"{title + ':':<12}{text}", flush=True)
    if missing:
        raise ConfigError("; ".join(missing))


def _report(args: argparse.Namespace, config: ExperimentConfig | None, missing: list[str]) -> Iterator[tuple[str, str]]:
    """Lines (title, text) of the report; what is asked for and not here is added to `missing`."""
    yield "machine", f"{platform.node()}, {platform.platform()}"
    yield "versions", ", ".join(f"{name} {version}" for name, version in versions().items())
    head, changed = commit()
    yield "commit", "not in a git checkout" if head is None else head + (" with changes" if changed else "")
    yield "CPUs", _cpus()
    yield "memory", _memory()
    yield from _devices(args, missing)
    for title, folder in (("scratch", Path(tempfile.gettempdir())), ("here", Path.cwd())):
        free = machine.free_space(folder)
        yield title, f"{folder}, " + ("not usable" if free is None else f"{machine.gib(free)} free")
    yield from _data(args, config, missing)
    yield "Slurm", _slurm_job()


def _cpus() -> str:
    share = machine.cpu_limit()
    limit = "" if share is None else f", limited to {share:g} by the control group"
    return f"{os.cpu_count()} in the machine, {machine.cpus_allowed()} for this process{limit}"


def _memory() -> str:
    total, limit = machine.memory_total(), machine.memory_limit()
    text = "unknown" if total is None else f"{machine.gib(total)} in the machine"
    return text if limit is None else f"{text}, limited to {machine.gib(limit)} by the control group"


def _devices(args: argparse.Namespace, missing: list[str]) -> Iterator[tuple[str, str]]:
    """One line per CUDA device, then the checks of --device and --gpus."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for index in range(count):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        yield "device", f"cuda:{index}, {name}, {machine.gib(total)}, {machine.gib(free)} free"
    if count == 0:
        build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "a build without CUDA"
        yield "device", f"cpu, {torch.get_num_threads()} threads; no CUDA device is visible (torch is {build})"
    if args.gpus > count:
        missing.append(f"--gpus {args.gpus}: {count} CUDA devices are visible here; ask for GPUs, or see to the driver")
    _check(lambda: options.start_compute(args), missing)


def _data(args: argparse.Namespace, config: ExperimentConfig | None, missing: list[str]) -> Iterator[tuple[str, str]]:
    """The data root, what lies in it, and the checks of --data-root and --config."""
    chosen = args.data_root or os.environ.get("LSGM_DATA")
    root = _check(lambda: options.data_root(args), missing)
    if root is None:
        yield "data root", f"{chosen}, not visible" if chosen else "not set"
    else:
        yield "data root", str(root)
        for title, files in (("data sets", data_files.sets_in(root)), ("weights", data_files.weights_in(root))):
            yield title, ", ".join(f"{name} {'yes' if path else 'no'}" for name, path in files.items())
    if config is None:
        return
    _check(lambda: data_files.require_data(config.data, root), missing)
    from lsgm.evaluation.frechet.extractor import find_weights

    frechet = config.evaluate.frechet
    if frechet.weights_file is not None:
        _check(lambda: find_weights(frechet, root, frechet.weights_file), missing)


def _slurm_job() -> str:
    """The batch job around this process, as Slurm knows it."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return "not in a job"
    try:
        words = ["scontrol", "--oneliner", "show", "job", job]
        shown = subprocess.run(words, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return f"job {job}"
    fields = dict(field.split("=", 1) for field in shown.split() if "=" in field)
    known = (f"{name} {fields[key]}" for key, name in SLURM_FIELDS.items() if key in fields)
    gpus = os.environ.get("SLURM_STEP_GPUS") or os.environ.get("SLURM_JOB_GPUS")
    return ", ".join([f"job {job}", *known, *([f"GPU index {gpus}"] if gpus else [])])


def _check(look: Callable[[], T], missing: list[str]) -> T | None:
    """What `look` finds, or None after adding its complaint to the list."""
    try:
        return look()
    except ConfigError as error:
        missing.append(str(error))
        return None
