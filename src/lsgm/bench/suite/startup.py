"""How long a command takes before it does anything: a workflow starts hundreds of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import torch

from lsgm.bench.benchmark import Benchmark, Setting
from lsgm.bench.row import Row, timed_row
from lsgm.bench.timing import in_turns

PYTHON = "python -c pass"
LSGM = ("-m", "lsgm.cli.main")
# Looked for in the present folder: an installed package has neither.
EXPERIMENT, SCALE_FILE, SNAKEFILE = (
    Path("config/experiments/mnist.yaml"),
    Path("config/scales/test.yaml"),
    Path("Snakefile"),
)
SNAKEMAKE = "snakemake --dry-run --config scale=test"


def run(setting: Setting) -> Iterator[Row]:
    """Bare interpreters, help texts, dry runs of verbs, and a dry run of the workflow."""
    commands = {
        PYTHON: ("-c", "pass"),
        "python -c 'import torch'": ("-c", "import torch"),
        "lsgm --help": (*LSGM, "--help"),
        "lsgm train --help": (*LSGM, "train", "--help"),
    }
    left_out = {}
    if EXPERIMENT.is_file():
        settings = ("--config", str(EXPERIMENT), "--scale", str(SCALE_FILE), "--dry-run")
        commands |= {f"lsgm {verb} --dry-run": (*LSGM, verb, *settings) for verb in setting.scale.dry_verbs}
    else:
        left_out["lsgm VERB --dry-run"] = f"no {EXPERIMENT} in the present folder"
    if not setting.scale.workflow:
        left_out[SNAKEMAKE] = f"not at scale {setting.scale.name}"
    elif find_spec("snakemake") is None or not SNAKEFILE.is_file():
        left_out[SNAKEMAKE] = f"no Snakemake installed, or no {SNAKEFILE} in the present folder"
    else:
        commands[SNAKEMAKE] = ("-m", "snakemake", *SNAKEMAKE.split()[1:], "--quiet")
    works = {case: _work(words) for case, words in commands.items()}
    for case, timing in (timings := in_turns(works, setting.repeats, torch.device("cpu"))).items():
        yield timed_row(BENCHMARK.name, case, timing, timings[PYTHON])
    for case, why in left_out.items():
        yield Row(BENCHMARK.name, case, note=f"left out: {why}")


def _work(words: Sequence[str]) -> Callable[[], None]:
    def start() -> None:
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"python {' '.join(words)} failed: {done.stderr.strip()[-500:]}")

    return start


BENCHMARK = Benchmark(
    name="startup",
    title="Start-up",
    compares="Whole commands, from the start of the process to its end, over a Python interpreter that does nothing.",
    run=run,
    columns={"ratio_to_plain": "x bare interpreter"},
)
