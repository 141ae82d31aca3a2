"""The columns of the csv files that lead from a number of ours back to the run that gave it."""

from __future__ import annotations

from .notes import Run
from .paper import PaperTable


def trace(run: Run | None, paper: PaperTable) -> dict[str, object]:
    """Return the traceability columns of one row; none without a run.

    Args:
        run: the run that stands in the row.
        paper: the paper's table, for the unit of its likelihoods.
    """
    if run is None:
        return {}
    metrics, frechet, origin = run.metrics, run.metrics.frechet, run.metrics.provenance
    estimate = metrics.nelbo
    values = {
        "our_run": run.name,
        "our_status": metrics.status,
        "our_reason": metrics.reason,
        "our_weights": metrics.training.source,
        "our_data": metrics.data.title,
        "our_data_is_the_papers": "yes" if metrics.data.name == paper.data else "no",
        "our_scaled_down": metrics.scaled_down,
        "our_scale": metrics.scale,
        "our_unit": estimate.unit if estimate else paper.unit,
        "our_num_images": estimate.num_images if estimate else None,
        "our_num_images_iw": metrics.nll.num_images if metrics.nll else None,
        "our_num_iw_samples": metrics.nll.num_iw_samples if metrics.nll else None,
        "our_frechet_name": frechet.name if frechet else None,
        "our_frechet_features": frechet.features if frechet else None,
        "our_frechet_protocol": frechet.protocol if frechet else None,
        "our_frechet_num_samples": frechet.num_samples if frechet else None,
        "our_frechet_num_reference": frechet.num_reference if frechet else None,
        "our_frechet_note": frechet.note if frechet else None,
        "our_seed": origin.seed,
        "our_commit": origin.commit,
        "our_uncommitted_changes": None if origin.dirty is None else "yes" if origin.dirty else "no",
        "our_config_hash": origin.config_hash,
        "our_metrics_file": run.source,
    }
    return {column: "" if value is None else value for column, value in values.items()}
