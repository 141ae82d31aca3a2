"""What every measurement file says of its data set and of where its numbers come from."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from lsgm.cli.records.provenance import code_and_machine, timestamp
from lsgm.config import ExperimentConfig, Stage
from lsgm.config.run_names import RunName
from lsgm.data import Dataset
from lsgm.models import LoadedModel
from lsgm.reporting.records.metrics import DataMetrics, Provenance


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
    config: ExperimentConfig, stage: Stage, model_sha256: str, dataset: Dataset, device: str, clock: Clock
) -> Provenance:
    """Describe code, settings, machine and inputs of a measurement that ends now.

    Args:
        config: resolved settings.
        stage: on whose settings the measurement depends.
        model_sha256: of the model file.
        dataset: the data.
        device: where it was computed.
        clock: started with it.
    """
    return Provenance(
        **code_and_machine(device),
        config_hash=config.fingerprint(stage),
        seed=config.seed,
        started=clock.started,
        wall_seconds=time.monotonic() - clock.monotonic,
        model_sha256=model_sha256,
        data_checksum=dataset.checksum,
    )


def header(config: ExperimentConfig, dataset: Dataset) -> dict[str, object]:
    """The fields of `FigureMeasurement` that are known before anything is measured."""
    return {
        "run": str(RunName.of(config.cell or config.name, None, config.variant)),
        "scale": config.scale,
        "scaled_down": config.scaled_down,
        "data": data_metrics(dataset),
    }


def divergence(loaded: LoadedModel) -> list[str]:
    """Why nothing can be measured on a model whose training diverged; nothing for any other."""
    if loaded.extra.get("status") != "diverged":
        return []
    return [f"training diverged: {loaded.extra.get('reason')}"]
