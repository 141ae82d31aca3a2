"""What every measurement file says of its data set and of where its numbers come from."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from lsgm.cli.provenance import commit, device_name, timestamp, versions
from lsgm.config import ExperimentConfig, Stage
from lsgm.data import Dataset
from lsgm.models import LoadedModel, sha256_of
from lsgm.reporting.metrics import DataMetrics, Provenance


@dataclass(frozen=True)
class Clock:
    """When a measurement began."""

    started: str = field(default_factory=timestamp)
    monotonic: float = field(default_factory=time.monotonic)


def data_metrics(dataset: Dataset) -> DataMetrics:
    """Describe the data set."""
    return DataMetrics(
        name=dataset.name,
        title=dataset.title,
        num_train=len(dataset.train),
        num_test=len(dataset.test),
        image_shape=dataset.image_shape,
        checksum=dataset.checksum,
        notes=dataset.notes,
    )


def provenance(
    config: ExperimentConfig, stage: Stage, model_file: Path, dataset: Dataset, device: str, clock: Clock
) -> Provenance:
    """Describe code, settings, machine and inputs of a measurement that ends now.

    Args:
        config: resolved settings.
        stage: on whose settings the measurement depends.
        model_file: the model.
        dataset: the data.
        device: where it was computed.
        clock: started with it.
    """
    head, dirty = commit()
    return Provenance(
        commit=head,
        dirty=dirty,
        config_hash=config.fingerprint(stage),
        seed=config.seed,
        versions=versions(),
        device=device_name(device),
        started=clock.started,
        wall_seconds=time.monotonic() - clock.monotonic,
        model_sha256=sha256_of(model_file),
        data_checksum=dataset.checksum,
    )


def header(config: ExperimentConfig, dataset: Dataset) -> dict[str, object]:
    """The fields of `FigureMeasurement` that are known before anything is measured."""
    return {
        "run": config.cell or config.name,
        "scale": config.scale,
        "scaled_down": config.scaled_down,
        "data": data_metrics(dataset),
    }


def divergence(loaded: LoadedModel) -> list[str]:
    """Why nothing can be measured on a model whose training diverged; nothing for any other."""
    if loaded.extra.get("status") != "diverged":
        return []
    return [f"training diverged: {loaded.extra.get('reason')}"]
