"""The csv file of the sampling cost: every number with all its digits and with where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsgm.reporting.columns.numbers import DIVERGED
from lsgm.reporting.paper.cost import PaperCost
from lsgm.reporting.records.cost_measurement import CostPoint, ModelCost, SamplingCost, Seconds

if TYPE_CHECKING:
    from pandas import DataFrame


def cost_data(paper: PaperCost, measured: SamplingCost, source: str) -> DataFrame:
    """One row per model and sampler, the paper's first.

    Args:
        paper: its numbers.
        measured: ours.
        source: file of ours.
    """
    import pandas as pd

    records = [_paper_record(paper, place) for place in range(len(paper.rows))]
    for model in measured.models:
        points: tuple[CostPoint | None, ...] = model.points or (None,)
        records += [_our_record(measured, model, point) | {"file": source} for point in points]
    return pd.DataFrame(records, dtype=object).fillna("")


def _paper_record(paper: PaperCost, place: int) -> dict[str, object]:
    row = paper.rows[place]
    record: dict[str, object] = {"measured_by": "paper", "model": row.model, "sampler": row.sampler}
    for name, number in (("nfe", row.nfe), ("wall_seconds", row.seconds)):
        if number is not None:
            record |= {name: number.value, f"{name}_source": number.mark}
    return record | {"ratio": paper.ratio(row), "data": paper.title}


def _our_record(measured: SamplingCost, model: ModelCost, point: CostPoint | None) -> dict[str, object]:
    origin = model.provenance
    return {
        "measured_by": "ours",
        "model": model.run,
        **_numbers(point),
        "status": model.status,
        "reason": model.reason,
        "reference": measured.reference,
        "num_samples": measured.num_samples,
        "batch_size": measured.batch_size,
        "batches_timed": measured.num_timed,
        "backbone": model.backbone,
        "prior_shape": "x".join(map(str, model.prior_shape)),
        "parameters_vae": model.parameters.vae,
        "parameters_prior": model.parameters.prior,
        "data": model.data.title,
        "scale": model.scale,
        "scaled_down": model.scaled_down,
        "seed": origin.seed,
        "device": origin.device,
        "commit": origin.commit,
        "uncommitted_changes": None if origin.dirty is None else "yes" if origin.dirty else "no",
        "config_hash": origin.config_hash,
        "model_sha256": origin.model_sha256,
    }


def _numbers(point: CostPoint | None) -> dict[str, object]:
    """What was measured; NaN where it failed."""
    failed = {"nfe": DIVERGED, "wall_seconds": DIVERGED}
    if point is None or point.batch is None:
        return failed if point is None else {"sampler": point.sampler, **failed}
    frechet = {} if point.frechet is None else point.frechet.model_dump()
    return {
        "sampler": point.sampler,
        "nfe": point.nfe,
        "nfe_per_image": point.nfe_per_image,
        **_seconds("", point.batch),
        **_seconds("network_", point.network),
        **_seconds("prior_", point.prior),
        **_seconds("decoder_", point.decoder),
        "fastest": point.fastest,
        "slowest": point.slowest,
        "ratio": point.ratio,
        "cpu_ratio": point.cpu_ratio,
        **{f"frechet_{key}": value for key, value in frechet.items()},
    }


def _seconds(part: str, seconds: Seconds | None) -> dict[str, object]:
    return {} if seconds is None else {f"{part}wall_seconds": seconds.wall, f"{part}cpu_seconds": seconds.cpu}
