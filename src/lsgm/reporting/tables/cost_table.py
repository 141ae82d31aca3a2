"""The table of what drawing images takes: models and samplers, with the paper's numbers in rows of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lsgm.reporting.columns.headings import OURS, UNKNOWN_FRECHET, frechet_title
from lsgm.reporting.columns.numbers import DIVERGED, NOTHING, OurNumber
from lsgm.reporting.notes.cost_notes import cost_notes, model_notes
from lsgm.reporting.paper.cost import MarkedNumber, PaperCost, read_paper_cost
from lsgm.reporting.records.cost_measurement import CostPoint, ModelCost, SamplingCost, read_cost

from .cost_data import cost_data
from .table import Table

if TYPE_CHECKING:
    from pandas import DataFrame

TITLE = "What drawing images takes: latent space and pixel space, by sampler (Figure 4 of the paper)"
COLUMNS = (
    ("", "measured by"),
    ("", "model (note)"),
    ("", "sampler"),
    ("evaluations of the network", "for a batch"),
    ("evaluations of the network", "for an image"),
    ("seconds for a batch", "all"),
    ("seconds for a batch", "network"),
    ("seconds for a batch", "decoder"),
    ("over the reference", "wall time"),
    ("over the reference", "processor time"),
)
LEAD = 3  # columns before the numbers


def unknown(model: ModelCost) -> bool | None:
    """For tables that are made without the settings: nothing is known about them."""
    return None


def build_cost_table(
    paper_file: Path, measured_file: Path, is_current: Callable[[ModelCost], bool | None] = unknown
) -> Table:
    """Set what drawing images takes below what the paper says of it.

    Args:
        paper_file: `config/paper/sampling_cost.yaml`.
        measured_file: file of `lsgm cost`.
        is_current: tells whether a model was measured with the present settings; None where it cannot.

    Raises:
        ConfigError: a file is absent or damaged.
    """
    paper, measured = read_paper_cost(paper_file), read_cost(measured_file)
    stale = [model.run for model in measured.models if is_current(model) is False]
    source = measured_file.as_posix()
    return Table(
        number=None,
        label="cost",
        title=TITLE,
        data=cost_data(paper, measured, source),
        display=_display(paper, measured),
        notes=tuple(cost_notes(paper, measured, source, stale)),
        run_notes=tuple(map(model_notes, measured.models)),
        sources=(source,),
    )


def _display(paper: PaperCost, measured: SamplingCost) -> DataFrame:
    import pandas as pd

    rows = [
        [
            f"paper, {paper.title}" if place == 0 else "",
            *(row.model, row.sampler, _marked(row.nfe), NOTHING, _marked(row.seconds), NOTHING, NOTHING),
            *(three_digits(paper.ratio(row)), NOTHING, NOTHING),
        ]
        for place, row in enumerate(paper.rows)
    ]
    lead = OURS if not any(model.scaled_down for model in measured.models) else f"{OURS}, scaled down"
    for number, model in enumerate(measured.models, start=1):
        name = f"{model.run} ({number})"
        found = [_row(model, point) for point in model.points] or [_nothing(NOTHING)]
        for place, row in enumerate(found):
            rows.append([f"{lead}, {model.data.title}" if number == 1 and place == 0 else "", name, *row])
            name = ""
    columns = [*COLUMNS, ("images", _distance_title(measured))]
    return pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples(columns), dtype=object)


def _row(model: ModelCost, point: CostPoint) -> list[str]:
    """Sampler, evaluations, seconds, ratio and distance; NaN where the sampler failed."""
    if point.batch is None:
        return _nothing(point.sampler)
    distance = OurNumber(None if point.frechet is None else point.frechet.value, status=model.status)
    seconds = (part and part.wall for part in (point.batch, point.network, point.decoder))
    return [
        point.sampler,
        *(NOTHING if value is None else f"{value:.0f}" for value in (point.nfe, point.nfe_per_image)),
        *map(three_digits, seconds),
        three_digits(point.ratio),
        three_digits(point.cpu_ratio),
        NOTHING if point.frechet is None else distance.text,
    ]


def _nothing(sampler: str) -> list[str]:
    return [sampler, *[DIVERGED] * (len(COLUMNS) - LEAD + 1)]


def three_digits(value: float | None) -> str:
    """A positive number with three digits that count, never in powers of ten: `0.0123`, `4.15`, `651`, `2700`."""
    if value is None:
        return NOTHING
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:#.3g}" if value >= 1e-4 else f"{value:.6f}"


def _marked(number: MarkedNumber | None) -> str:
    if number is None:
        return NOTHING
    return f"{number.value:g}" + (" (uncertain)" if "uncertain" in number.mark else "")


def _distance_title(measured: SamplingCost) -> str:
    distances = (point.frechet for model in measured.models for point in model.points if point.frechet)
    titles = list(dict.fromkeys(map(frechet_title, distances)))
    return titles[0] if len(titles) == 1 else UNKNOWN_FRECHET
