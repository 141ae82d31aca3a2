"""What stands below a table: where every number of ours comes from, and what must not be compared with what."""

from __future__ import annotations

from collections.abc import Iterable

from lsgm.reporting.columns.headings import OURS, data_heading
from lsgm.reporting.paper.tables import PaperTable
from lsgm.reporting.records.metrics import Metrics
from lsgm.reporting.records.runs import Run, SeedRun

from .differences import backbone_note, difference_notes

SEEDS_NOTE = (
    "Numbers of several seeds are their mean; behind ± stands the standard deviation over the seeds (n - 1). The csv "
    "file also has each seed's number and the standard error over images."
)


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
    return [*notes, *notes_on_runs(paper, runs)]


def notes_on_runs(paper: PaperTable | None, runs: list[Run]) -> list[str]:
    """Notes on what the runs share and on what they do not: seeds, differences, common facts."""
    several = [SEEDS_NOTE] if any(len(run.seeds) > 1 for run in runs) else []
    return [*several, *backbone_note(runs), *difference_notes(runs), *shared_notes(paper, runs)]


def run_notes(paper: PaperTable | None, runs: list[Run]) -> list[str]:
    """Everything about each run that a reader needs to judge or repeat its numbers.

    Args:
        paper: the table; only what it has a column for is mentioned. None: everything is.
        runs: the runs, in the order of the notes.

    Returns:
        One note per run. What all of them share is left to `shared_notes`.
    """
    facts = [_facts(paper, run) for run in runs]
    shared = _shared(facts)
    return ["; ".join(text for key, text in fact.items() if key not in shared) for fact in facts]


def shared_notes(paper: PaperTable | None, runs: list[Run]) -> list[str]:
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


def _facts(paper: PaperTable | None, run: Run) -> dict[str, str]:
    metrics, data = run.metrics, run.metrics.data
    scaled = f", scaled down: {metrics.scaled_down}" if metrics.scaled_down else ""
    remark = f" ({data.notes})" if data.notes else ""
    origins = [seed.metrics.provenance for seed in run.seeds]
    failed = next((seed.metrics.status for seed in run.seeds if seed.metrics.status != "ok"), "ok")
    facts = {
        "run": f"run {run.name}",
        "status": "" if failed == "ok" else f"{failed.replace('_', ' ')}: {run.reason}",
        "weights": f"weights: {metrics.training.source}" if metrics.training.source else _earlier_weights(run),
        "backbone": _backbones(run),
        "rescued": _rollbacks(run),
        "data": f"data {data.title}, {data.num_train:,} training and {data.num_test:,} test images{remark}",
        "scale": f"scale {metrics.scale}{scaled}",
        **_measurements(paper, run),
        "seed": _listed("seed", (str(origin.seed) for origin in origins)),
        "device": _listed("device", (origin.device for origin in origins)),
        "commit": _listed("commit", map(_commit, run.seeds)),
        "hash": _listed("config hash", (origin.config_hash for origin in origins), "config hashes"),
        "file": _listed("metrics file", run.sources),
    }
    return {key: text for key, text in facts.items() if text}


def _measurements(paper: PaperTable | None, run: Run) -> dict[str, str]:
    measured = [seed.metrics for seed in run.seeds]
    nelbo = next((metrics.nelbo for metrics in measured if metrics.nelbo), None)
    nll = next((metrics.nll for metrics in measured if metrics.nll), None)
    error = "± standard error" if len(run.seeds) == 1 else "± standard deviation over seeds"
    facts = {}
    if nelbo is not None:
        facts["nelbo"] = f"NELBO on {_drawn(nelbo.num_images, run)} test images ({error})"
        facts["nelbo nfe"] = _nfe("NFE of the NELBO", (metrics.nelbo and metrics.nelbo.nfe for metrics in measured))
    if nll is not None and (paper is None or "nll" in paper.columns):
        facts["nll"] = (
            f"NLL importance weighted, {nll.num_iw_samples:,} samples on {_drawn(nll.num_images, run)} test images"
        )
    if paper is None or "fid" in paper.columns:
        facts |= _sampling(measured)
    return facts


def _drawn(num_images: int, run: Run) -> str:
    whole = run.metrics.data.num_test
    return f"{num_images:,}" if num_images >= whole else f"{num_images:,} of {whole:,} (drawn)"


def _sampling(measured: list[Metrics]) -> dict[str, str]:
    found = next((metrics for metrics in measured if metrics.frechet), None)
    if found is None:
        return {}
    frechet, sampling = found.frechet, found.sampling
    weights = f", weights SHA-256 {frechet.weights_sha256[:12]}" if frechet.weights_sha256 else ""
    note = f", {frechet.note}" if frechet.note else ""
    facts = {
        "frechet": f"{frechet.name}: features {frechet.features}{weights}, {frechet.protocol}, {frechet.num_samples:,} "
        f"samples against {frechet.num_reference:,} training images{note}"
    }
    if sampling is not None:
        tol = "" if sampling.tol is None else f", tolerance {sampling.tol:g}"
        facts["sampling"] = f"sampled by {sampling.solver}{tol}"
        every = [metrics.sampling for metrics in measured if metrics.frechet and metrics.sampling]
        facts["sampling nfe"] = _nfe("NFE of a batch of samples", (one.nfe for one in every))
        if any(one.nfe_per_image != one.nfe for one in every):
            facts["image nfe"] = _nfe("NFE of a sample, mean", (one.nfe_per_image for one in every))
    return facts


def _nfe(what: str, values: Iterable[float | None]) -> str:
    return _listed(what, (f"{value:.0f}" for value in values if value is not None), what)


def _commit(seed: SeedRun) -> str:
    origin = seed.metrics.provenance
    return (origin.commit or "unknown") + (" with uncommitted changes" if origin.dirty else "")


def _backbones(run: Run) -> str:
    found = [seed.metrics.training.backbone for seed in run.seeds]
    every = (f"{one.run} (seed {one.seed}, model SHA-256 {one.model_sha256[:12]})" for one in found if one is not None)
    return _listed("backbone", every)


def _earlier_weights(run: Run) -> str:
    """From where the weights are, if they are not those of the training's end."""
    trainings = [seed.metrics.training for seed in run.seeds]
    every = (f"{one.weights_step} of {one.steps}" for one in trainings if one.weights_step not in (None, one.steps))
    return _listed("weights after step", every)


def _rollbacks(run: Run) -> str:
    """Which seeds' trainings went back, from where to where, and how they went on."""
    found = [(seed.seed, seed.metrics.training.rollbacks) for seed in run.seeds if seed.metrics.training.rollbacks]
    every = (
        f"{f'seed {seed}: ' if len(run.seeds) > 1 else ''}"
        + ", ".join(f"from step {one.step} to {one.rolled_back_to}" for one in rollbacks)
        + f", in the end with learning rates x {rollbacks[-1].lr_factor:g} and spectral regularisation "
        f"x {rollbacks[-1].sr_factor:g}"
        for seed, rollbacks in found
    )
    return _listed("training not finite and rolled back", every, "training not finite and rolled back")


def _listed(what: str, values: Iterable[str], plural: str | None = None) -> str:
    """`what` and its value, or its plural and the values; nothing for none."""
    distinct = list(dict.fromkeys(values))
    if not distinct:
        return ""
    return f"{what if len(distinct) == 1 else plural or what + 's'} {', '.join(distinct)}"
