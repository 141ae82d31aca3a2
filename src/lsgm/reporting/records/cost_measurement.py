"""The file of `lsgm cost`: what drawing images takes, of several models with several samplers in one process."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from lsgm.config import Section

from .figure_measurements import FigureMeasurement
from .metrics import FrechetMetrics, ParameterCounts
from .section_file import read_section


class Seconds(Section):
    """What one part of a batch takes, median over the batches that count."""

    wall: float = Field(ge=0)
    cpu: float = Field(ge=0, description="processor time of all threads of the process, that of a GPU not counted")


class CostPoint(Section):
    """One model with one sampler. Numbers are null where the sampler failed."""

    sampler: str = Field(description="solver, and the settings of `sample` that it has here")
    solver: str = Field(description="the solver as other results name it")
    nfe: float | None = Field(None, ge=0, description="evaluations of the prior per batch, mean over batches")
    nfe_per_image: float | None = Field(None, ge=0, description="in which an image took part, mean over images")
    network: Seconds | None = Field(None, description="the evaluations of the score network, a part of `prior`")
    prior: Seconds | None = Field(
        None, description="from the first evaluation to the latents: network, solver and the noise that it draws"
    )
    decoder: Seconds | None = Field(None, description="from the latents to images in the host's memory")
    batch: Seconds | None = Field(None, description="prior and decoder together")
    fastest: float | None = Field(None, ge=0, description="wall seconds of the batch that took least")
    slowest: float | None = Field(None, ge=0, description="wall seconds of the batch that took most")
    ratio: float | None = Field(
        None,
        ge=0,
        description="wall time of a batch over that of the first model with its first sampler: median over batches of "
        "the quotient of batches of the same number",
    )
    cpu_ratio: float | None = Field(None, ge=0, description="the same of processor time")
    frechet: FrechetMetrics | None = None


class ModelCost(FigureMeasurement):
    """All samplers of one model, in the order of the settings; none if its training diverged."""

    sde: str = Field(description="forward process, as in sde.type")
    backbone: Literal["nvae", "pixels"] = Field(description="what decodes; pixels: the prior models the image itself")
    prior_shape: tuple[int, int, int] = Field(description="(C, r, r) of what the prior models")
    parameters: ParameterCounts
    points: tuple[CostPoint, ...]


class SamplingCost(Section):
    """What the table of the sampling cost shows. Models and samplers took turns, batch by batch."""

    format: Literal["cost 1"] = "cost 1"
    scale: str
    num_samples: int = Field(ge=2, description="images of each model with each sampler")
    batch_size: int = Field(ge=1)
    num_timed: int = Field(ge=1, description="batches whose time counts: all but the first")
    models: tuple[ModelCost, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> SamplingCost:
        names = [model.run for model in self.models]
        if len(set(names)) < len(names):
            raise ValueError(f"models has a run twice: {', '.join(names)}")
        if self.num_samples != self.batch_size * (self.num_timed + 1):
            raise ValueError(
                f"num_samples {self.num_samples} is not batch_size {self.batch_size} times {self.num_timed} + 1 batches"
            )
        return self

    @property
    def reference(self) -> str:
        """The model and the sampler whose time is 1."""
        first = self.models[0]
        return f"{first.run}, {first.points[0].sampler}" if first.points else f"{first.run}, which has none"


def read_cost(path: Path) -> SamplingCost:
    """Read the file of `lsgm cost`; a ConfigError says what is wrong with it."""
    return read_section(path, SamplingCost, "cost")
