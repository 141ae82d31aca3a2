"""The metrics file: every number of one run, with its unit, its counts and where it comes from.

Tables and figures read numbers from these files and from nowhere else. A run that diverged, or a cell of Table 6 that
does not exist, has a file too: `status` and `reason` say so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from lsgm.config import Section
from lsgm.config.run_names import RunName

from .provenance import Provenance, TrainingMetrics
from .section_file import read_section, write_section

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


class NelboErrors(Section):
    """The two errors of log p(z_0), in the unit of the NELBO; null where the settings do not tell them."""

    probe_stderr: float | None = Field(
        ge=0, description="standard error of the mean by the random trace probes; a part of `stderr`"
    )
    probe_rms: float | None = Field(ge=0, description="that of a single image, root mean square over the images")
    halving: float | None = Field(
        description="NELBO with half as many steps less NELBO: the error of the steps taken is well below it"
    )
    halving_images: int | None = Field(ge=1, description="images that `halving` is the mean of")


class NelboMetrics(Section):
    """Negative evidence lower bound: mean over test images, an upper bound on the negative log-likelihood."""

    value: float
    stderr: float = Field(ge=0, description="standard error of the mean over images")
    unit: Unit
    num_images: int = Field(ge=1)
    terms: NelboTerms
    nfe: float | None = Field(None, ge=0, description="network evaluations per solve of a batch; null without an ODE")
    solver: str | None = Field(None, description="of the prior's ODE, in words; null: not known, or none")
    errors: NelboErrors | None = Field(None, description="what that solver adds; null: not known, or no ODE")
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
    nfe: float | None = Field(None, ge=0, description="network evaluations for a batch, mean over batches")
    nfe_per_image: float | None = Field(
        None, ge=0, description="in which an image took part, mean over images; null: not known, or none was drawn"
    )
    seconds: float = Field(ge=0)
    num_samples: int = Field(ge=0)
    device: str | None = None
    commit: str | None = Field(None, description="of the code that sampled, where it is known")
    dirty: bool | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    processes: int | None = Field(None, ge=1, description="that shared the work; null: not known")


class ParameterCounts(Section):
    """Numbers of trained parameters."""

    vae: int = Field(ge=0)
    prior: int = Field(0, ge=0)


class Metrics(Section):
    """All that was measured on one run."""

    format: Literal[1] = 1
    experiment: str
    kind: Literal["vae", "lsgm"]
    cell: str | None = None
    variant: str | None = Field(None, description="change from config/axes.yaml that the run has")
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

    @property
    def run(self) -> str:
        """Name of the run, without its seed."""
        return str(RunName.of(self.experiment, self.cell, self.variant))

    @model_validator(mode="after")
    def _consistent(self) -> Metrics:
        if self.status != "ok" and not self.reason:
            raise ValueError(f"status {self.status!r} needs a reason")
        if self.nll is not None and self.kind != "vae":
            raise ValueError("nll (importance weighted) is measured on a VAE only; an LSGM has its nelbo")
        return self


def write_metrics(path: Path, metrics: Metrics) -> None:
    """Write one metrics file, whole or not at all; its folder must exist."""
    write_section(path, metrics)


def read_metrics(path: Path) -> Metrics:
    """Read and check one metrics file; a ConfigError says what is wrong with it."""
    return read_section(path, Metrics, "evaluate")
