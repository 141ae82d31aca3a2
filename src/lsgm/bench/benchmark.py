"""What a benchmark is: a name, an honest heading, and a function that measures row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch

from .row import Row
from .scales import Scale


@dataclass(frozen=True)
class Setting:
    """Where and how much to measure.

    Attributes:
        device: on which.
        scale: sizes.
        repeats: rounds of each comparison.
    """

    device: torch.device
    scale: Scale
    repeats: int


@dataclass(frozen=True)
class Benchmark:
    """One of the suite.

    Attributes:
        name: on the command line.
        title: of its table.
        compares: below the title: what is measured, and what ratios, errors and rates are taken of.
        run: measures.
        columns: headings of its own, by column.
    """

    name: str
    title: str
    compares: str
    run: Callable[[Setting], Iterator[Row]]
    columns: Mapping[str, str] = field(default_factory=dict)
