"""Settings of what is measured for figures only: they belong to no stage that a table needs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from .base import Section


class FiguresConfig(Section):
    """Figure 4 (the solver's tolerance) and the variance of the training objective under the time distributions."""

    tolerances: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        (1.0e-1, 1.0e-2, 1.0e-3, 1.0e-4, 1.0e-5), min_length=1, description="rtol = atol of the ODE, one sweep each"
    )
    num_samples: int | None = Field(None, ge=2, description="images per tolerance; null: sample.num_samples")
    variance_images: int = Field(1000, ge=2, description="first training images on which the variance is measured")
    variance_times: int = Field(16, ge=1, description="times per image and time distribution")

    @field_validator("tolerances")
    @classmethod
    def _distinct(cls, tolerances: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(tolerances)) < len(tolerances):
            raise ValueError(f"figures.tolerances names one twice: {', '.join(f'{tol:g}' for tol in tolerances)}")
        return tolerances
