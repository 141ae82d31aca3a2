"""What a training stage hands over, and how its outcome is put together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lsgm import distributed
from lsgm.config import ConfigError, ExperimentConfig, Stage
from lsgm.config.experiment import STAGE_SECTIONS
from lsgm.data import Dataset
from lsgm.models import Lsgm

from .checkpoint import CheckpointStore
from .divergence import Rollback, TrainingDiverged
from .logging import Record, Reporter
from .loop import LoopResult


@dataclass(frozen=True)
class TrainResult:
    """Outcome of one stage.

    Attributes:
        model: in evaluation mode; its prior, if any, carries the averaged weights. Weights are finite even if the run
            diverged: they are those before the first update that was not, or of the last good checkpoint.
        config: the settings used, with `sde.sigma2_max` filled in where it was measured.
        status: `diverged` is a result and not an error.
        reason: why it diverged, or None.
        steps: steps done, those before a rollback left out.
        epochs: whole epochs done.
        skipped_updates: updates that were not finite.
        seconds: wall time of all parts of the run.
        cpu_seconds: processor time of this process in all parts, summed over its threads.
        final: the last line of the training curve.
        rollbacks: returns to an earlier state, see `train.rescue`.
        weights_step: steps after which the weights were those of `model`, see `train.result`.
        divergence: more about a run that diverged, or None.
    """

    model: Lsgm
    config: ExperimentConfig
    status: Literal["ok", "diverged"]
    reason: str | None
    steps: int
    epochs: int
    skipped_updates: int
    seconds: float
    cpu_seconds: float
    final: Record
    rollbacks: tuple[Rollback, ...]
    weights_step: int
    divergence: TrainingDiverged | None


def assemble(model: Lsgm, config: ExperimentConfig, loop: LoopResult, steps_per_epoch: int) -> TrainResult:
    """Turn the end of a loop into a result; puts the model into evaluation mode."""
    return TrainResult(
        model=model.eval(),
        config=config,
        status="ok" if loop.diverged is None else "diverged",
        reason=None if loop.diverged is None else loop.diverged.reason,
        steps=loop.steps,
        epochs=loop.steps // steps_per_epoch,
        skipped_updates=loop.skipped_updates,
        seconds=loop.seconds,
        cpu_seconds=loop.cpu_seconds,
        final=loop.final,
        rollbacks=loop.rollbacks,
        weights_step=loop.weights_step,
        divergence=loop.diverged,
    )


def checkpoint_store(
    stage: Stage, config: ExperimentConfig, dataset: Dataset, folder: Path, reporter: Reporter
) -> CheckpointStore:
    """Checkpoints keyed by all that the stage depends on: its sections of the settings, and the data."""
    sections = config.model_dump(mode="json")
    settings = {name: sections[name] for name in STAGE_SECTIONS[stage]}
    return CheckpointStore(folder, settings | {"data_checksum": dataset.checksum}, reporter.note)


def load_together(store: CheckpointStore) -> tuple[int, dict[str, object]] | None:
    """Load the last checkpoint in every process.

    Raises:
        ConfigError: it was made with other settings, or the processes do not see the same one.
    """
    saved = store.load()
    steps = distributed.all_gathered(None if saved is None else saved[0])
    if len(set(steps)) > 1:
        seen = ", ".join("none" if step is None else str(step) for step in steps)
        raise ConfigError(
            f"{store.folder}: the processes see checkpoints of different steps ({seen}); it must lie on a file system "
            f"that all nodes share"
        )
    return saved
