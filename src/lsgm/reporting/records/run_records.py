"""All that is on record of a run: its settings, how it was trained, and what was measured on it, if anything was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lsgm.config import ExperimentConfig, read_yaml, validate

from .provenance import TrainingMetrics
from .runs import Run, SeedRun
from .training_file import read_training

SETTINGS, TRAINING = "model.config.yaml", "training.json"
NAMES = ("name", "scale", "seed", "scaled_down")  # of a run; they do not change what a number means
UNUSED_BY_VAE = ("prior", "sde", "objective", "train")


class TrainingRecord(TrainingMetrics):
    """`training.json`: how the model was trained, and whether that ended well."""

    status: Literal["ok", "diverged"]
    reason: str | None = None


@dataclass(frozen=True)
class RunRecord:
    """One run with one seed.

    Attributes:
        name: of the run, with its seed where that is not the experiment's own.
        settings: those that the model was trained with.
        training: record of the training.
        measured: its metrics; None: trained only, such as a VAE that is no row of a table.
    """

    name: str
    settings: ExperimentConfig
    training: TrainingRecord
    measured: SeedRun | None = None

    @property
    def status(self) -> str:
        """Of the measurements, else of the training; with the reason if it is not ok."""
        metrics = self.measured.metrics if self.measured else None
        status, reason = (metrics.status, metrics.reason) if metrics else (self.training.status, self.training.reason)
        return status.replace("_", " ") + (f": {reason}" if reason else "")

    @property
    def is_measured_as_set(self) -> bool:
        """Whether sampling and evaluation went by the same settings; those may change after the training."""
        if self.measured is None:
            return True
        return self.settings.fingerprint("evaluate") == self.measured.metrics.provenance.config_hash


def records_of(run: Run) -> list[RunRecord]:
    """The records of a run's seeds, from the files beside their metrics.

    Raises:
        ConfigError: such a file is absent or damaged.
    """
    return [_read(seed.file.parent, _name(run, seed), seed) for seed in run.seeds]


def read_trained(name: str, training_file: Path) -> RunRecord:
    """The record of a run that nothing was measured on.

    Raises:
        ConfigError: a file is absent or damaged.
    """
    return _read(training_file.parent, name, None)


def differing_settings(settings: ExperimentConfig, others: ExperimentConfig) -> list[tuple[str, str, str]]:
    """Settings of a run that differ from others: key, value, other value. What a VAE has no use for is left out.

    Args:
        settings: of the run.
        others: of the same run at another scale.
    """
    mine, theirs = (_flat(config.model_dump(mode="json")) for config in (settings, others))
    left_out = (*NAMES, *(UNUSED_BY_VAE if settings.is_vae else ()))
    keys = [key for key in {**mine, **theirs} if key.partition(".")[0] not in left_out]
    return [(key, _shown(mine, key), _shown(theirs, key)) for key in keys if mine.get(key) != theirs.get(key)]


def _name(run: Run, seed: SeedRun) -> str:
    return f"{run.name}, seed {seed.seed}" if len(run.seeds) > 1 else run.name


def _read(folder: Path, name: str, measured: SeedRun | None) -> RunRecord:
    settings = validate(ExperimentConfig, read_yaml(folder / SETTINGS), str(folder / SETTINGS))
    return RunRecord(name, settings, read_training(folder / TRAINING, TrainingRecord), measured)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _shown(flat: Mapping[str, Any], key: str) -> str:
    if key not in flat:
        return "-"
    value = flat[key]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)
