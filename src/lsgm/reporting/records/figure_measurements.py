"""The files of what is measured for figures only: the solver's tolerance, the samplers, the objective's variance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from lsgm.config import Section, Stage

from .metrics import DataMetrics, FrechetMetrics, Provenance
from .section_file import read_section


class FigureMeasurement(Section):
    """What all these files say of the run. `reason` is there where nothing, or not all, could be measured."""

    run: str = Field(description="name of the experiment, or of the cell of Table 6")
    scale: str
    status: Literal["ok", "diverged"]
    reason: str | None = None
    scaled_down: str | None = Field(None, description="what was made smaller than in the paper; null: nothing")
    data: DataMetrics
    provenance: Provenance

    @model_validator(mode="after")
    def _consistent(self) -> FigureMeasurement:
        if (self.status == "ok") != (self.reason is None):
            raise ValueError(f"status {self.status!r} and reason {self.reason!r} do not go together")
        return self


class TolerancePoint(Section):
    """Images drawn by the probability-flow ODE at one tolerance. Numbers are null where the solver failed."""

    tol: float = Field(gt=0, description="rtol = atol")
    nfe: float | None = Field(None, ge=0, description="evaluations of the prior per batch, mean over batches")
    nfe_per_image: float | None = Field(None, ge=0, description="in which an image took part, mean over images")
    seconds_per_batch: float | None = Field(None, ge=0, description="wall time of prior and decoder")
    frechet: FrechetMetrics | None = None


class ToleranceSweep(FigureMeasurement):
    """What Figure 4 shows, in the order of the tolerances."""

    format: Literal["tolerance 1"] = "tolerance 1"
    num_samples: int = Field(ge=2)
    batch_size: int = Field(ge=1)
    time_end: float = Field(gt=0, lt=1)
    points: tuple[TolerancePoint, ...]


class SamplerPoint(Section):
    """One sampler at one setting. Numbers are null where it failed."""

    solver: Literal["ode", "heun", "multistep"]
    setting: float = Field(gt=0, description="tolerance of the ODE solver, or evaluations of the network")
    nfe: float | None = Field(None, ge=0, description="evaluations of the prior per batch, mean over batches")
    seconds_per_batch: float | None = Field(None, ge=0, description="wall time of prior and decoder")
    latent_error: float | None = Field(None, ge=0, description="rms difference of z_0 from that of the reference")
    frechet: FrechetMetrics | None = None


class SamplerStudy(FigureMeasurement):
    """What the figure of the samplers shows: each draws the same images, from the same noise."""

    format: Literal["samplers 2"] = "samplers 2"
    sde: str = Field(description="forward process, as in sde.type")
    num_samples: int = Field(ge=2, description="images per point")
    batch_size: int = Field(ge=1)
    num_latents: int = Field(ge=1, description="latents that are compared with the reference, the first ones")
    time_end: float = Field(gt=0, lt=1)
    reference_tol: float = Field(gt=0)
    reference_nfe: float | None = Field(None, ge=0)
    latent_std: float | None = Field(None, ge=0, description="standard deviation of the reference's z_0")
    points: tuple[SamplerPoint, ...]


class VariancePoint(Section):
    """One objective under one distribution of times; fields as in `lsgm.evaluation.time_variance.TimeVariance`."""

    weighting: Literal["ll", "un", "re"]
    times: Literal["uniform", "ll", "un", "re"]
    mean: float = Field(gt=0, description="nats")
    std: float = Field(ge=0, description="nats, of one term: one image, one noise, one time")
    normal_variation: float = Field(ge=0, description="std / mean if latents and prior were standard normal")

    @property
    def variation(self) -> float:
        """Coefficient of variation: standard deviation over mean."""
        return self.std / self.mean


class VarianceStudy(FigureMeasurement):
    """How much the prior's objective varies under each distribution of times."""

    format: Literal["variance 1"] = "variance 1"
    sde: str = Field(description="forward process, as in sde.type")
    num_images: int = Field(ge=2)
    num_times: int = Field(ge=1, description="per image")
    num_dims: int = Field(ge=1, description="D of the prior's latent")
    points: tuple[VariancePoint, ...]


def read_tolerance(path: Path) -> ToleranceSweep:
    """Read the file of `lsgm tolerance`; a ConfigError says what is wrong with it."""
    return read_section(path, ToleranceSweep, "tolerance")


def read_samplers(path: Path) -> SamplerStudy:
    """Read the file of `lsgm samplers`; a ConfigError says what is wrong with it."""
    return read_section(path, SamplerStudy, "samplers")


def read_variance(path: Path) -> VarianceStudy:
    """Read the file of `lsgm variance`; a ConfigError says what is wrong with it."""
    return read_section(path, VarianceStudy, "variance")


# By the stage that measures it, which is also the name of the file.
READERS: dict[Stage, Callable[[Path], FigureMeasurement]] = {
    "tolerance": read_tolerance,
    "samplers": read_samplers,
    "variance": read_variance,
}
