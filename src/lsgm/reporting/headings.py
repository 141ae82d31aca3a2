"""Which column a number of ours belongs to.

Plain "ours" is for numbers that were measured as the paper measured them: its data set, nothing scaled down, all test
images, FID with its resize and its 50,000 samples. Every other number gets a column of its own, whose heading says what
it is. So a stand-in's number can never stand in the column of the real data set.
"""

from __future__ import annotations

from dataclasses import dataclass

from .metrics import FrechetMetrics, Metrics
from .paper import Column, PaperTable

OURS = "ours"
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


def heading(metrics: Metrics, column: Column, paper: PaperTable, others: list[Metrics]) -> Heading:
    """Heading under which one number of a run stands.

    Args:
        metrics: the run.
        column: the paper's column that the number is set beside.
        paper: the paper's table.
        others: all runs of the table. A run without the number (it diverged) goes where the runs on the same data are.
    """
    data = data_heading(metrics, paper)
    measure = _measure(metrics, column, paper)
    if measure is None:
        beside = [run for run in others if data_heading(run, paper) == data]
        known = [found for run in beside if (found := _measure(run, column, paper)) is not None]
        measure = known[0] if known else paper.columns[column]
        if not known and column == "fid" and data != OURS:
            measure = "Fréchet distance"
    return Heading(data, measure)


def _measure(metrics: Metrics, column: Column, paper: PaperTable) -> str | None:
    if column == "fid":
        return None if metrics.frechet is None else _frechet_title(metrics.frechet)
    if metrics.nelbo is None and (column != "nll" or metrics.nll is None):
        return None
    counted = metrics.nll if column == "nll" and metrics.nll is not None else metrics.nelbo
    title = paper.columns[column]
    # For stand-ins and scaled-down runs the count stands in the notes: there is nothing to mistake them for.
    whole = counted is None or counted.num_images >= metrics.data.num_test
    if not whole and data_heading(metrics, paper) == OURS:
        return f"{title}, {counted.num_images:,} of {metrics.data.num_test:,} test images"
    return title


def _frechet_title(frechet: FrechetMetrics) -> str:
    """FID as the paper took it is "FID"; another resize or count is named, and other features have another name."""
    if frechet.name != "FID":
        return frechet.name
    differences = []
    if not frechet.protocol.startswith("paper"):
        differences.append(frechet.protocol.partition(":")[0] + " resize")
    if frechet.num_samples < PAPER_FID_SAMPLES:
        differences.append(f"{frechet.num_samples:,} samples")
    return "FID" + (f" ({', '.join(differences)})" if differences else "")
