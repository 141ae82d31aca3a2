"""What a metrics file says of the origin of its numbers: code, settings, data, machine and time of every stage."""

from __future__ import annotations

import math

from pydantic import Field, field_validator

from lsgm.config import Section


class Backbone(Section):
    """The model whose VAE the prior was trained on. Its file's SHA-256 leads on to its own records."""

    run: str = Field(description="name of the run, without its seed")
    seed: int = Field(ge=0)
    model_sha256: str


class Rollback(Section):
    """One return of a training to an earlier state, after too many updates in a row that were not finite."""

    step: int = Field(ge=0, description="steps done when it went back")
    reason: str
    first_non_finite: str | None = Field(None, description="layer or parameter; null: not found again")
    rolled_back_to: int = Field(ge=0, description="steps done in the state that it went back to")
    lr_factor: float = Field(gt=0, description="what learning rates were multiplied by from then on")
    sr_factor: float = Field(ge=1, description="the same for the coefficients of the spectral regularisers")


class TrainingMetrics(Section):
    """How the model was trained. `final` holds the last logged values; a non-finite one is kept as text, "nan"."""

    steps: int = Field(ge=0)
    epochs: float = Field(ge=0)
    skipped_updates: int = Field(0, ge=0, description="updates left out because a gradient was not finite")
    rollbacks: tuple[Rollback, ...] = ()
    weights_step: int | None = Field(
        None, ge=0, description="steps after which the weights were taken; null: not known"
    )
    seconds: float | None = Field(ge=0, description="wall time of all parts of the training; null: not known")
    cpu_seconds: float | None = Field(
        None, ge=0, description="processor time of its first process, summed over threads; null: not known"
    )
    source: str | None = Field(None, description="where the weights come from; null: trained with this program")
    device: str | None = None
    finished: str | None = Field(None, description="ISO 8601")
    commit: str | None = Field(None, description="of the code that trained, where it is known")
    dirty: bool | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    processes: int | None = Field(None, ge=1, description="that shared the work, in the end; null: not known")
    data_checksum: str | None = Field(None, description="of the data that it was trained on; null: not known")
    backbone: Backbone | None = Field(None, description="null: a VAE, or weights from elsewhere")
    final: dict[str, float | int | str | None] = Field(default_factory=dict)

    @field_validator("final", mode="before")
    @classmethod
    def _show_non_finite(cls, final: object) -> object:
        if not isinstance(final, dict):
            return final
        return {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in final.items()}


class Provenance(Section):
    """Where the measured numbers come from. `commit`, `versions` and `device` are those of the evaluation."""

    commit: str | None
    dirty: bool | None
    config_hash: str
    seed: int
    versions: dict[str, str]
    device: str
    processes: int | None = Field(None, ge=1, description="that shared the work; null: not known")
    started: str = Field(description="ISO 8601")
    wall_seconds: float = Field(ge=0)
    model_sha256: str | None
    data_checksum: str
