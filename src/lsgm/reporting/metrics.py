"""The metrics file: every number of one run, with its unit, its counts and where it comes from.

Tables and figures read numbers from these files and from nowhere else. A run that diverged, or a cell of Table 6 that
does not exist, has a file too: `status` and `reason` say so.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from lsgm.config import ConfigError, Section, validate

FORMAT = 1
Unit = Literal["nats", "bits/dim"]
Status = Literal["ok", "diverged", "not_applicable"]


class DataMetrics(Section):
    """The data set that was trained and measured on. `image_shape` is (C, H, W) without padding."""

    name: str = Field(description="reader of the data set, as in the settings")
    title: str = Field(description="the data set in words, as printed in tables")
    num_train: int = Field(ge=0)
    num_test: int = Field(ge=0)
    image_shape: tuple[int, int, int]
    checksum: str
    notes: str = ""

    @field_validator("notes", mode="before")
    @classmethod
    def _joined(cls, notes: object) -> object:
        """Accept several notes as a list."""
        return "; ".join(map(str, notes)) if isinstance(notes, (list, tuple)) else notes or ""


class NelboTerms(Section):
    """The three terms whose sum is the NELBO, in its unit."""

    reconstruction: float = Field(description="-E log p(x|z)")
    neg_entropy: float = Field(description="E log q(z|x)")
    cross_entropy: float = Field(description="-E log p(z)")


class NelboMetrics(Section):
    """Negative evidence lower bound: mean over test images, an upper bound on the negative log-likelihood."""

    value: float
    stderr: float = Field(ge=0, description="standard error of the mean over images")
    unit: Unit
    num_images: int = Field(ge=1)
    terms: NelboTerms
    nfe: float | None = Field(None, ge=0, description="network evaluations per solve; null without an ODE")
    seconds: float = Field(ge=0)


class NllMetrics(Section):
    """Importance-weighted estimate of the negative log-likelihood (VAE only)."""

    value: float
    stderr: float = Field(ge=0)
    unit: Unit
    num_images: int = Field(ge=1)
    num_iw_samples: int = Field(ge=1)


class FrechetMetrics(Section):
    """Fréchet distance; the fields are those of `lsgm.evaluation.frechet.FrechetResult`."""

    value: float
    name: str
    features: str
    protocol: str
    num_samples: int = Field(ge=2)
    num_reference: int = Field(ge=2)
    weights_sha256: str | None = None
    note: str | None = None


class SamplingMetrics(Section):
    """How the images for the Fréchet distance were drawn."""

    solver: str
    tol: float | None = Field(None, gt=0)
    nfe: float | None = Field(None, ge=0)
    seconds: float = Field(ge=0)
    num_samples: int = Field(ge=0)


class TrainingMetrics(Section):
    """How long the run was trained. `final` holds the last logged values; a non-finite one is kept as text, "nan"."""

    steps: int = Field(ge=0)
    epochs: float = Field(ge=0)
    skipped_updates: int = Field(0, ge=0, description="updates left out because a gradient was not finite")
    seconds: float | None = Field(ge=0, description="null: not known")
    source: str | None = Field(None, description="where the weights come from; null: trained with this program")
    final: dict[str, float | int | str | None] = Field(default_factory=dict)

    @field_validator("final", mode="before")
    @classmethod
    def _show_non_finite(cls, final: object) -> object:
        if not isinstance(final, dict):
            return final
        return {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in final.items()}


class ParameterCounts(Section):
    """Numbers of trained parameters."""

    vae: int = Field(ge=0)
    prior: int = Field(0, ge=0)


class Provenance(Section):
    """Where the numbers come from."""

    commit: str | None
    dirty: bool | None
    config_hash: str
    seed: int
    versions: dict[str, str]
    device: str
    started: str = Field(description="ISO 8601")
    wall_seconds: float = Field(ge=0)
    model_sha256: str | None
    data_checksum: str


class Metrics(Section):
    """All that was measured on one run."""

    format: Literal[1] = FORMAT
    experiment: str
    kind: Literal["vae", "lsgm"]
    cell: str | None = None
    scale: str
    status: Status
    reason: str | None = Field(None, description="why the status is not ok")
    scaled_down: str | None = Field(None, description="what was made smaller than in the paper; null: nothing")
    data: DataMetrics
    nelbo: NelboMetrics | None = None
    nll: NllMetrics | None = None
    frechet: FrechetMetrics | None = None
    sampling: SamplingMetrics | None = None
    training: TrainingMetrics
    parameters: ParameterCounts
    provenance: Provenance

    @model_validator(mode="after")
    def _consistent(self) -> Metrics:
        if self.status != "ok" and not self.reason:
            raise ValueError(f"status {self.status!r} needs a reason")
        if self.nll is not None and self.kind != "vae":
            raise ValueError("nll (importance weighted) is measured on a VAE only; an LSGM has its nelbo")
        return self


def write_metrics(path: Path, metrics: Metrics) -> None:
    """Write one metrics file, whole or not at all.

    Args:
        path: file to write; its folder must exist.
        metrics: what was measured.
    """
    text = json.dumps(metrics.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_metrics(path: Path) -> Metrics:
    """Read and check one metrics file.

    Raises:
        ConfigError: absent, not JSON (cut off), another format, or a value that cannot be.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such metrics file; make it with `lsgm evaluate`") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path}: damaged metrics file ({error}); delete it and evaluate again") from None
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise ConfigError(f"{path}: not a metrics file of format {FORMAT} (found {found!r}); evaluate again")
    return validate(Metrics, content, str(path))
