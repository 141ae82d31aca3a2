"""What stands below a table: where every number of ours comes from, and what must not be compared with what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .headings import OURS, data_heading
from .metrics import Metrics
from .paper import PaperTable


@dataclass(frozen=True)
class Run:
    """One run that stands in a table, with its metrics file."""

    name: str
    file: Path
    metrics: Metrics

    @property
    def source(self) -> str:
        """The metrics file as it was given."""
        return self.file.as_posix()


def table_title(paper: PaperTable, runs: list[Run]) -> str:
    """The paper's title, with a warning where our numbers are not on the paper's data."""
    if any(run.metrics.data.name != paper.data for run in runs):
        return f"{paper.title} (ours: on stand-in data, see the notes)"
    return paper.title


def table_notes(paper: PaperTable, runs: list[Run]) -> list[str]:
    """Notes on the table as a whole: sources, comparability, and differences between the runs."""
    notes = [
        f"Paper: the numbers of {paper.source} (how sure each one is stands in the csv file). "
        f"Ours: read from the metrics files named below."
    ]
    notes.extend(paper.remarks)
    if not runs:
        return [*notes, "No run of ours is in this table."]
    stand_ins = sorted({run.metrics.data.title for run in runs if run.metrics.data.name != paper.data})
    if stand_ins:
        notes.append(
            f"Stand-in data ({'; '.join(stand_ins)}) in place of {paper.data}: these numbers have columns of their own "
            f"and must not be compared with the paper's."
        )
    if any(data_heading(run.metrics, paper) == f"{OURS}, scaled down" for run in runs):
        notes.append("Runs that are scaled down must not be compared with the paper's numbers.")
    notes.extend(_differences(runs))
    notes.extend(shared_notes(paper, runs))
    return notes


def run_notes(paper: PaperTable, runs: list[Run]) -> list[str]:
    """Everything about each run that a reader needs to judge or repeat its numbers.

    Args:
        paper: the table; only what it has a column for is mentioned.
        runs: the runs, in the order of the notes.

    Returns:
        One note per run. What all of them share is left to `shared_notes`.
    """
    facts = [_facts(paper, run) for run in runs]
    shared = _shared(facts)
    return ["; ".join(text for key, text in fact.items() if key not in shared) for fact in facts]


def shared_notes(paper: PaperTable, runs: list[Run]) -> list[str]:
    """One note with all that the runs have in common, none for a single run."""
    shared = _shared([_facts(paper, run) for run in runs])
    return [f"All runs: {'; '.join(shared.values())}."] if shared else []


def _shared(facts: list[dict[str, str]]) -> dict[str, str]:
    """Facts on which all runs agree; a run that diverged may lack some of them."""
    keys = dict.fromkeys(key for fact in facts for key in fact)
    shared = {}
    for key in keys:
        found = [fact.get(key) for fact in facts if key in fact or "status" not in fact]
        if len(found) > 1 and len(set(found)) == 1 and found[0] is not None:
            shared[key] = found[0]
    return shared


def _facts(paper: PaperTable, run: Run) -> dict[str, str]:
    metrics, data, origin = run.metrics, run.metrics.data, run.metrics.provenance
    scaled = f", scaled down: {metrics.scaled_down}" if metrics.scaled_down else ""
    remark = f" ({data.notes})" if data.notes else ""
    commit = (origin.commit or "unknown") + (" with uncommitted changes" if origin.dirty else "")
    facts = {
        "run": f"run {run.name}",
        "status": "" if metrics.status == "ok" else f"{metrics.status.replace('_', ' ')}: {metrics.reason}",
        "weights": f"weights: {metrics.training.source}" if metrics.training.source else "",
        "data": f"data {data.title}, {data.num_train:,} training and {data.num_test:,} test images{remark}",
        "scale": f"scale {metrics.scale}{scaled}",
        **_measurements(paper, metrics),
        "seed": f"seed {origin.seed}",
        "commit": f"commit {commit}",
        "hash": f"config hash {origin.config_hash}",
        "file": f"metrics file {run.source}",
    }
    return {key: text for key, text in facts.items() if text}


def _measurements(paper: PaperTable, metrics: Metrics) -> dict[str, str]:
    facts = {}
    if metrics.nelbo is not None:
        facts["nelbo"] = f"NELBO on {metrics.nelbo.num_images:,} test images (± standard error)"
        facts["nelbo nfe"] = "" if metrics.nelbo.nfe is None else f"NFE of the NELBO {metrics.nelbo.nfe:.0f}"
    if metrics.nll is not None and "nll" in paper.columns:
        nll = metrics.nll
        facts["nll"] = f"NLL importance weighted, {nll.num_iw_samples:,} samples on {nll.num_images:,} test images"
    if "fid" not in paper.columns or metrics.frechet is None:
        return facts
    frechet = metrics.frechet
    weights = f", weights SHA-256 {frechet.weights_sha256[:12]}" if frechet.weights_sha256 else ""
    note = f", {frechet.note}" if frechet.note else ""
    facts["frechet"] = (
        f"{frechet.name}: features {frechet.features}{weights}, {frechet.protocol}, {frechet.num_samples:,} samples "
        f"against {frechet.num_reference:,} training images{note}"
    )
    if metrics.sampling is not None:
        tol = "" if metrics.sampling.tol is None else f", tolerance {metrics.sampling.tol:g}"
        facts["sampling"] = f"sampled by {metrics.sampling.solver}{tol}"
        facts["sampling nfe"] = "" if metrics.sampling.nfe is None else f"NFE of a sample {metrics.sampling.nfe:.0f}"
    return facts


def _differences(runs: list[Run]) -> list[str]:
    """Say so where the runs of one table were made with different code or at different scales."""
    notes = []
    commits = sorted({run.metrics.provenance.commit or "unknown" for run in runs})
    if len(commits) > 1:
        notes.append(f"The runs were made with different commits: {', '.join(commits)}.")
    dirty = sorted(run.name for run in runs if run.metrics.provenance.dirty)
    if dirty:
        notes.append(f"Made with uncommitted changes in the code: {', '.join(dirty)}.")
    scales = sorted({run.metrics.scale for run in runs})
    if len(scales) > 1:
        notes.append(f"The runs are of different scales: {', '.join(scales)}.")
    checksums = {(run.metrics.data.name, run.metrics.provenance.data_checksum) for run in runs}
    if len(checksums) > len({name for name, _ in checksums}):
        notes.append("Runs on the same data set used different arrays (see the data checksums in the metrics files).")
    return notes
