"""Runs benchmarks one after the other; what one has measured is handed over before the next begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from lsgm.config import ConfigError

from .benchmark import Setting
from .row import Row
from .suite import BENCHMARKS


def choose(names: Sequence[str]) -> list[str]:
    """Names of benchmarks in the order of the suite; all of them if none is given.

    Raises:
        ConfigError: there is no such benchmark.
    """
    for name in names:
        if name not in BENCHMARKS:
            raise ConfigError(f"{name}: no such benchmark; there are {', '.join(BENCHMARKS)}")
    return [name for name in BENCHMARKS if name in names or not names]


def measure(name: str, setting: Setting) -> Iterator[Row]:
    """Rows of one benchmark, as they come.

    What is not installed, and what does not fit into the device's memory, ends a benchmark with a row that says so.
    """
    try:
        yield from BENCHMARKS[name].run(setting)
    except ImportError as error:
        yield Row(name, "the rest", note=f"left out: {error}")
    except torch.OutOfMemoryError as error:
        yield Row(name, "the rest", note=f"left out: {str(error).splitlines()[0]}")
