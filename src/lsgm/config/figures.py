"""Settings of what is measured for figures only: they belong to no stage that a table needs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from .base import Section
from .evaluation import SampleConfig

Setting = bool | int | float | str | None

# Keys of what drawing images costs, and those that it shares with the other measurements.
COST_KEYS = ("cost_samplers", "cost_batch_size")
SHARED_KEYS = ("num_samples",)
# How many images are drawn is no matter of the sampler.
COUNTS = ("num_samples", "batch_size")
COST_SAMPLERS: tuple[dict[str, Setting], ...] = (
    {"solver": "ode", "tol": 1.0e-5},
    {"solver": "ode", "tol": 1.0e-3},
    {"solver": "multistep", "evaluations": 10},
    {"solver": "predictor_corrector", "num_steps": 1000},
)


class FiguresConfig(Section):
    """Figure 4 (the solver's tolerance), the samplers side by side, their cost, and the training objective's variance.

    The keys of the cost are left out of a saved file where they have their defaults, and are in the fingerprint of the
    stage `cost` alone: they make no other measurement stale.
    """

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
    variance_images: int = Field(
        1000, ge=2, description="training images on which the variance is measured, drawn with a fixed seed"
    )
    variance_times: int = Field(16, ge=1, description="times per image and time distribution")
    cost_samplers: tuple[dict[str, Setting], ...] = Field(
        COST_SAMPLERS,
        min_length=1,
        exclude_if=lambda samplers: samplers == COST_SAMPLERS,
        description="whose cost is measured: of each its `solver` and other keys of `sample` that are changed for it; "
        "times are also given as multiples of the first one's",
    )
    cost_batch_size: int | None = Field(
        None,
        ge=1,
        exclude_if=lambda size: size is None,
        description="images drawn at a time there; null: sample.batch_size, or a quarter of the images if that is less",
    )

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

    @field_validator("cost_samplers")
    @classmethod
    def _known_samplers(cls, samplers: tuple[dict[str, Setting], ...]) -> tuple[dict[str, Setting], ...]:
        known = [key for key in SampleConfig.model_fields if key not in COUNTS]
        for sampler in samplers:
            if "solver" not in sampler:
                raise ValueError(f"figures.cost_samplers: {sampler} has no `solver`; name one")
            for key in sampler:
                if key not in known:
                    raise ValueError(f"figures.cost_samplers: {key!r} is none of {', '.join(known)}")
            if samplers.count(sampler) > 1:
                raise ValueError(f"figures.cost_samplers names {sampler} twice")
        return samplers

    @model_validator(mode="after")
    def _reference_is_tightest(self) -> FiguresConfig:
        if self.reference_tol >= min(self.tolerances):
            raise ValueError(
                f"figures.reference_tol = {self.reference_tol:g} must be below every one of figures.tolerances, of "
                f"which the tightest is {min(self.tolerances):g}: it stands for the exact solution"
            )
        return self

    def of_stage(self, stage: str) -> dict[str, Any]:
        """What a stage's result depends on: the keys of the cost for the stage `cost`, all others for any other."""
        if stage == "cost":
            return {key: getattr(self, key) for key in (*SHARED_KEYS, *COST_KEYS)}
        return {key: value for key, value in self.model_dump(mode="json").items() if key not in COST_KEYS}
