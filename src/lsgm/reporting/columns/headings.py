"""Which column a number of ours belongs to.

Plain "ours" is for numbers that were measured as the paper measured them: its data set, nothing scaled down, all test
images, FID with its resize and its 50,000 samples. Every other number gets a column of its own, whose heading says what
it is. So a stand-in's number can never stand in the column of the real data set.
"""

from __future__ import annotations

from dataclasses import dataclass

from lsgm.reporting.paper.tables import Column, PaperTable
from lsgm.reporting.records.metrics import FrechetMetrics, Metrics
from lsgm.reporting.records.runs import Run

OURS = "ours"
UNKNOWN_FRECHET = "Fréchet distance"
PAPER_FID_SAMPLES = 50_000


@dataclass(frozen=True)
class Heading:
    """Heading of a column of ours: on which data, and what was measured."""

    data: str
    measure: str

    def __str__(self) -> str:
        return f"{self.data}: {self.measure}"


def data_heading(metrics: Metrics, paper: PaperTable) -> str:
    """First part of the heading: "ours", or what differs in the data or the size of the run."""
    if metrics.data.name != paper.data:
        return f"{OURS} on {metrics.data.title} (stand-in)"
    return OURS if metrics.scaled_down is None else f"{OURS}, scaled down"


def heading(run: Run, column: Column, paper: PaperTable, others: list[Run]) -> Heading:
    """Heading under which one number of a run stands.

    Args:
        run: the run.
        column: the paper's column that the number is set beside.
        paper: the paper's table.
        others: all runs of the table. A run without the number (it diverged) goes where the runs on the same data are.
    """
    data = data_heading(run.metrics, paper)
    measure = _measure(run, column, paper)
    if measure is None:
        beside = [other for other in others if data_heading(other.metrics, paper) == data]
        known = [found for other in beside if (found := _measure(other, column, paper)) is not None]
        measure = known[0] if known else paper.columns[column]
        if not known and column == "fid" and data != OURS:
            measure = UNKNOWN_FRECHET
    return Heading(data, measure + seeds_words(run))


def seeds_words(run: Run) -> str:
    """What a heading says of the number of seeds; nothing for one."""
    return f", mean of {len(run.seeds)} seeds" if len(run.seeds) > 1 else ""


def frechet_title(frechet: FrechetMetrics) -> str:
    """FID as the paper took it is "FID"; another resize or count is named, and other features have another name."""
    if frechet.name != "FID":
        return frechet.name
    differences = []
    if not frechet.protocol.startswith("paper"):
        differences.append(frechet.protocol.partition(":")[0] + " resize")
    if frechet.num_samples < PAPER_FID_SAMPLES:
        differences.append(f"{frechet.num_samples:,} samples")
    return "FID" + (f" ({', '.join(differences)})" if differences else "")


def _measure(run: Run, column: Column, paper: PaperTable) -> str | None:
    """What was measured, as the first seed that has the number says."""
    found = (_measure_of_seed(seed.metrics, column, paper) for seed in run.seeds)
    return next((title for title in found if title is not None), None)


def _measure_of_seed(metrics: Metrics, column: Column, paper: PaperTable) -> str | None:
    if column == "fid":
        return None if metrics.frechet is None else frechet_title(metrics.frechet)
    if metrics.nelbo is None and (column != "nll" or metrics.nll is None):
        return None
    counted = metrics.nll if column == "nll" and metrics.nll is not None else metrics.nelbo
    title = paper.columns[column]
    # For stand-ins and scaled-down runs the count stands in the notes: there is nothing to mistake them for.
    whole = counted is None or counted.num_images >= metrics.data.num_test
    if not whole and data_heading(metrics, paper) == OURS:
        return f"{title}, {counted.num_images:,} of {metrics.data.num_test:,} test images, drawn"
    return title
