"""Settings of what is measured for figures only: they belong to no stage that a table needs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from .base import Section


class FiguresConfig(Section):
    """Figure 4 (the solver's tolerance), the samplers side by side, and the variance of the training objective."""

    tolerances: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (1.0e-1, 1.0e-2, 1.0e-3, 1.0e-4, 1.0e-5), min_length=1, description="rtol = atol of the ODE, one sweep each"
    )
    num_samples: int | None = Field(
        None, ge=2, description="images per tolerance and per sampler; null: sample.num_samples"
    )
    evaluations: tuple[Annotated[int, Field(ge=4, multiple_of=2)], ...] = Field(
        (4, 6, 8, 10, 14, 20), min_length=1, description="of the network, by the samplers of fixed steps; even numbers"
    )
    reference_tol: float = Field(
        1.0e-7, gt=0, description="tolerance of the ODE's solution with which latents of all samplers are compared"
    )
    reference_samples: int = Field(100, ge=1, description="how many latents are compared, the first ones")
    variance_images: int = Field(1000, ge=2, description="first training images on which the variance is measured")
    variance_times: int = Field(16, ge=1, description="times per image and time distribution")

    @field_validator("tolerances")
    @classmethod
    def _distinct(cls, tolerances: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(tolerances)) < len(tolerances):
            raise ValueError(f"figures.tolerances names one twice: {', '.join(f'{tol:g}' for tol in tolerances)}")
        return tolerances

    @field_validator("evaluations")
    @classmethod
    def _distinct_evaluations(cls, evaluations: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(evaluations)) < len(evaluations):
            raise ValueError(f"figures.evaluations names one twice: {', '.join(map(str, evaluations))}")
        return evaluations

    @model_validator(mode="after")
    def _reference_is_tightest(self) -> FiguresConfig:
        if self.reference_tol >= min(self.tolerances):
            raise ValueError(
                f"figures.reference_tol = {self.reference_tol:g} must be below every one of figures.tolerances, of "
                f"which the tightest is {min(self.tolerances):g}: it stands for the exact solution"
            )
        return self
