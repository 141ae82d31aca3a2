"""The benchmarks by name, and their outcome: one JSON document, and a Markdown page with a table for each of them.

A document is kept up to date in parts: a benchmark that is run again replaces its own section, the others stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from lsgm.config import ConfigError

from . import sampling, step
from .networks import Scale
from .timing import Row

PREFACE = """# What training, sampling and likelihoods cost

Written by `lsgm bench`. Versions that are compared ran in turns in one process (A B A B ...). A ratio is the median
over the rounds of the quotient within a round, with the least and the largest quotient in brackets. Absolute times
belong to this machine and what else ran on it: compare ratios. The roofline is a 3x3 convolution of 256 channels, timed
in the same rounds: `x roofline` is the time over what the same number of operations takes at its rate.
"""


class Benchmark(NamedTuple):
    """What can be measured: its title, what is compared with what, the measurement, and headings of its own."""

    title: str
    compares: str
    run: Callable[[Scale, torch.device], Iterator[Row]]
    columns: Mapping[str, str]


BENCHMARKS = {
    "step": Benchmark(
        "One training step",
        "Gradients, update and average on inputs that are there (no data, no curve, no checkpoint). Naive baseline: "
        "the same networks, but a full backward pass for each objective (algorithm 1 as published: one loss), an "
        "optimiser and an average that take one parameter after the other. GFLOP: the networks' products and "
        "convolutions, forward and twice that for backward (algorithm 2: two forward passes of the score network, and "
        "for one of them no gradients of weights). Peak MB: of a process that takes two such steps and nothing else, "
        "on the CPU with its libraries, on a GPU of tensors.",
        step.ways,
        {"ratio": "x naive baseline"},
    ),
    "options": Benchmark(
        "Options of a training step",
        "As the benchmark `step`, over the usual step. Activations recomputed: checkpoint_activations. Batch in four "
        "parts: accumulate=4. Compiled: compile, without the minutes that its first start takes.",
        step.options,
        {"ratio": "x usual"},
    ),
    "sampling": Benchmark(
        "Sampling the latent prior",
        "First a score network with random weights: seconds and evaluations of a batch, without the decoder, over the "
        "adaptive ODE as published (one step for the whole batch) at the tightest tolerance; where samples have steps "
        "of their own, evaluations are the mean over samples. Then a mixture of ten correlated normals of known "
        "score, mixed with the Normal score as in the model: root mean square error of z0 against a much tighter "
        "solution of the same ODE from the same noise (float64).",
        sampling.samplers,
        {"ratio": "x published", "error": "rms error of z0"},
    ),
    "likelihood": Benchmark(
        "Likelihood of latents",
        "Estimates of log p(z0), in nats, for draws from a mixture of ten correlated normals of known density: root "
        "mean square and mean of the error over latents and rounds, with new probes in each round. An evaluation is "
        "one of the prior, with a vector-Jacobian product for each probe. Seconds are those of the mixture, on the CPU "
        "in float64, over the published way (official_probes: Gaussian probes drawn anew).",
        sampling.likelihoods,
        {"ratio": "x published", "error": "rms error, nats", "bias": "mean error, nats"},
    ),
}


def measure(name: str, scale: Scale, device: torch.device) -> Iterator[Row]:
    """Rows of one benchmark, as they come; where the device's memory is too small, the last one says so."""
    try:
        yield from BENCHMARKS[name].run(scale, device)
    except torch.OutOfMemoryError as error:
        yield Row(case="the rest", note=f"left out: {str(error).splitlines()[0]}")


class Section(BaseModel):
    """One benchmark's rows, and facts about machine, software and run, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    machine: dict[str, object]
    rows: list[Row]

    def markdown(self, benchmark: Benchmark) -> str:
        """The table, with the columns of which something is known."""
        heads = {name: field.title for name, field in Row.model_fields.items() if field.title} | benchmark.columns
        used = [name for name in heads if any(getattr(row, name) is not None for row in self.rows)]
        lines = [["case", *(heads[name] for name in used)], ["---"] * (len(used) + 1)]
        lines += [[row.case, *(_cell(row, name) for name in used)] for row in self.rows]
        table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        facts = "; ".join(f"{fact.replace('_', ' ')}: {_words(value)}" for fact, value in self.machine.items())
        return f"\n## {benchmark.title}\n\n{benchmark.compares}\n\n{table}\n\nMeasured with {facts}.\n"


class Report(BaseModel):
    """Sections by benchmark, each of one run."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[3] = 3
    benchmarks: dict[Literal[tuple(BENCHMARKS)], Section] = {}

    def json_text(self) -> str:
        """The document as JSON, without what is not known; numbers that are not finite as text."""
        return self.model_dump_json(indent=1, exclude_none=True) + "\n"

    def markdown(self) -> str:
        """All tables in the order of the benchmarks."""
        sections = ((name, self.benchmarks.get(name)) for name in BENCHMARKS)
        return PREFACE + "".join(section.markdown(BENCHMARKS[name]) for name, section in sections if section)


def read_report(path: Path) -> Report:
    """Read a document back; without the file, a report of nothing.

    Raises:
        ConfigError: the file is no such document.
    """
    if not path.exists():
        return Report()
    try:
        return Report.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigError(
            f"{path}: is no file that this `lsgm bench` wrote and could add to; name another file, or delete it"
        ) from error


def _cell(row: Row, column: str) -> str:
    value = getattr(row, column)
    if isinstance(value, str):
        return value
    if value is None:
        return "-"
    if column.startswith("seconds"):
        return f"{_number(value)} s" if value >= 1 else f"{_number(1e3 * value)} ms"
    least, largest = row.ratio_range or (value, value)
    spread = f" ({_number(least)} - {_number(largest)})" if column == "ratio" and least != largest else ""
    return _number(value) + spread


def _number(value: float) -> str:
    """Three digits, or all that are in front of the point."""
    return f"{value:.0f}" if math.isfinite(value) and abs(value) >= 1000 else f"{value:.3g}"


def _words(value: object) -> str:
    return ", ".join(f"{name} {each}" for name, each in value.items()) if isinstance(value, Mapping) else str(value)
