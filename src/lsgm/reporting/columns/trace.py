"""The columns of the csv files that lead from a number of ours back to the runs that gave it."""

from __future__ import annotations

from collections.abc import Iterable

from lsgm.reporting.paper.tables import PaperTable
from lsgm.reporting.records.runs import Run


def trace(run: Run | None, paper: PaperTable | None) -> dict[str, object]:
    """Return the traceability columns of one row; none without a run. What differs between seeds is listed with `; `.

    Args:
        run: the run that stands in the row.
        paper: the paper's table, for its data set and the unit of its likelihoods; None: there is none.
    """
    if run is None:
        return {}
    metrics, frechet = run.metrics, run.metrics.frechet
    every = [seed.metrics for seed in run.seeds]
    origins, trainings = [one.provenance for one in every], [one.training for one in every]
    backbones = [training.backbone for training in trainings if training.backbone]
    estimate = metrics.nelbo
    values = {
        "our_run": run.name,
        "our_status": _joined(one.status for one in every),
        "our_reason": run.reason,
        "our_weights": metrics.training.source,
        "our_data": metrics.data.title,
        "our_data_is_the_papers": "yes" if paper is not None and metrics.data.name == paper.data else "no",
        "our_scaled_down": metrics.scaled_down,
        "our_scale": metrics.scale,
        "our_unit": estimate.unit if estimate else paper and paper.unit,
        "our_num_images": estimate.num_images if estimate else None,
        "our_num_images_iw": metrics.nll.num_images if metrics.nll else None,
        "our_num_iw_samples": metrics.nll.num_iw_samples if metrics.nll else None,
        "our_frechet_name": frechet.name if frechet else None,
        "our_frechet_features": frechet.features if frechet else None,
        "our_frechet_protocol": frechet.protocol if frechet else None,
        "our_frechet_num_samples": frechet.num_samples if frechet else None,
        "our_frechet_num_reference": frechet.num_reference if frechet else None,
        "our_frechet_note": frechet.note if frechet else None,
        "our_seed": _joined(origin.seed for origin in origins),
        "our_commit": _joined(origin.commit for origin in origins),
        "our_uncommitted_changes": _joined(None if o.dirty is None else "yes" if o.dirty else "no" for o in origins),
        "our_config_hash": _joined(origin.config_hash for origin in origins),
        "our_device": _joined(origin.device for origin in origins),
        "our_data_checksum": _joined(origin.data_checksum for origin in origins),
        "our_model_sha256": _joined(origin.model_sha256 for origin in origins),
        "our_backbone": _joined(f"{backbone.run}, seed {backbone.seed}" for backbone in backbones),
        "our_backbone_sha256": _joined(backbone.model_sha256 for backbone in backbones),
        "our_training_device": _joined(training.device for training in trainings),
        "our_training_seconds": _joined(training.seconds for training in trainings),
        "our_training_commit": _joined(training.commit for training in trainings),
        "our_metrics_file": _joined(run.sources),
    }
    if paper is None:
        del values["our_data_is_the_papers"]
    return {column: "" if value is None else value for column, value in values.items()}


def _joined(values: Iterable[object]) -> object:
    """The value itself if all are the same, else all of them."""
    found = list(values)
    if len(set(found)) < 2:
        return found[0] if found else None
    return "; ".join("" if value is None else str(value) for value in found)
