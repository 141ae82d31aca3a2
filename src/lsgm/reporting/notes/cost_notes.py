"""What stands below the table of the sampling cost: how it was measured, and what must not be compared with what."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lsgm.reporting.paper.cost import PaperCost
from lsgm.reporting.records.cost_measurement import ModelCost, SamplingCost
from lsgm.reporting.records.metrics import FrechetMetrics

from .run_facts import commit


def cost_notes(paper: PaperCost, measured: SamplingCost, source: str, stale: Sequence[str]) -> list[str]:
    """Notes on the table as a whole.

    Args:
        paper: its numbers.
        measured: ours.
        source: file of ours.
        stale: runs that were measured with other settings than the present ones.
    """
    marks = "; ".join(f"{mark}: {meaning}" for mark, meaning in paper.marks.items())
    device = measured.models[0].provenance.device
    return [
        f"Paper: {paper.source}, images of {paper.title}; its ratios follow from its seconds. The csv file says how "
        f"sure each number is ({marks}).",
        *paper.remarks,
        f"Ours: read from {source}. Reference of the ratios: {measured.reference}; for the paper's, its LSGM.",
        f"A batch of ours has {measured.batch_size:,} images, a row {measured.num_samples:,}. Seconds are wall time on "
        f"{device}, median over {measured.num_timed:,} batches; the first batch of each row does not count. Models and "
        f"samplers took turns in one process, a batch of each at a time. A ratio is the median over batches of the "
        f"quotient of batches with the same number. The network's seconds are those of its evaluations alone: what "
        f"else a sampler does, drawing noise on the way included, is only in those of all. Processor time is that of "
        f"all threads of the process, without a GPU's.",
        "Evaluations: every call of the score network counts, a corrector's as a predictor's. Images that the adaptive "
        "solver has finished take no part in the rest of their batch.",
        *_differences(paper, measured),
        *_distances(measured),
        *([f"Measured with other settings than those in the config folder now: {', '.join(stale)}."] if stale else []),
    ]


def model_notes(model: ModelCost) -> str:
    """What a reader needs to judge or repeat the numbers of one model."""
    channels, rows, columns = model.prior_shape
    space = "the pixels" if model.backbone == "pixels" else "the latents of a VAE"
    origin = model.provenance
    facts = [
        f"run {model.run}",
        "" if model.status == "ok" else f"{model.status}: {model.reason}",
        f"the prior models {math.prod(model.prior_shape):,} numbers of an image, {space} "
        f"({channels}x{rows}x{columns}), by {model.sde}",
        f"parameters: VAE {model.parameters.vae:,}, prior {model.parameters.prior:,}",
        f"data {model.data.title}" + (f" ({model.data.notes})" if model.data.notes else ""),
        f"scale {model.scale}" + (f", scaled down: {model.scaled_down}" if model.scaled_down else ""),
        f"seed {origin.seed}",
        f"commit {commit(origin.commit, origin.dirty)}",
        f"config hash {origin.config_hash}",
        f"model SHA-256 {(origin.model_sha256 or 'unknown')[:12]}",
    ]
    return "; ".join(filter(None, facts))


def _differences(paper: PaperCost, measured: SamplingCost) -> list[str]:
    """Why no number of ours can be set against one of the paper's."""
    other = list(dict.fromkeys(model.data.title for model in measured.models if model.data.name != paper.data))
    what = [f"the data ({', '.join(other)} in place of {paper.title})"] if other else []
    if any(model.scaled_down for model in measured.models):
        what.append("the size of networks and training")
    what += ["the batch", "the machine", "the model of pixels, which is ours, with the LSGM's score network"]
    return [f"What differs from the paper: {', '.join(what)}. No seconds or evaluations of ours compare with its own."]


def _distances(measured: SamplingCost) -> list[str]:
    """On what the Fréchet distances were taken, one note for each way."""
    found: dict[str, None] = {}
    for model in measured.models:
        found |= dict.fromkeys(_words(point.frechet) for point in model.points if point.frechet)
    return list(found)


def _words(frechet: FrechetMetrics) -> str:
    weights = f", weights SHA-256 {frechet.weights_sha256[:12]}" if frechet.weights_sha256 else ""
    note = f", {frechet.note}" if frechet.note else ""
    return (
        f"{frechet.name}: features {frechet.features}{weights}, {frechet.protocol}, {frechet.num_samples:,} samples "
        f"against {frechet.num_reference:,} real images{note}."
    )
