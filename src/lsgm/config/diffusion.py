"""The forward process and the objective on it (method.md: Forward processes)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .base import Section


class SdeConfig(Section):
    """The forward SDE. Defaults are the paper's VPSDE; a geometric SDE takes sigma2_0 = sigma2_min, time_eps = 0."""

    type: Literal["vpsde", "geometric", "sub_vpsde", "vesde"] = "vpsde"
    beta_start: float = Field(0.1, gt=0)
    beta_end: float = Field(20.0, gt=0)
    sigma2_0: float = Field(0.0, ge=0, lt=1, description="variance at t = 0")
    sigma2_min: float = Field(3.0e-5, gt=0, description="geometric and VESDE only")
    sigma2_max: float | None = Field(0.999, gt=0, description="geometric and VESDE; null: measured (VESDE only)")
    time_eps: float = Field(0.01, ge=0, lt=1, description="training samples t from [time_eps, 1]")

    @model_validator(mode="after")
    def _consistent(self) -> SdeConfig:
        if self.beta_end <= self.beta_start:
            raise ValueError(f"sde.beta_end ({self.beta_end}) must exceed sde.beta_start ({self.beta_start})")
        exponential = self.type in ("geometric", "vesde") and self.sigma2_max is not None
        if exponential and self.sigma2_min >= self.sigma2_max:
            raise ValueError(f"sde.sigma2_min ({self.sigma2_min}) must be below sde.sigma2_max ({self.sigma2_max})")
        if self.type == "geometric" and (self.sigma2_max is None or self.sigma2_max >= 1):
            raise ValueError(f"sde.sigma2_max must be below 1 for a geometric VPSDE, not {self.sigma2_max}")
        if self.type == "vesde" and self.sigma2_0 != self.sigma2_min:
            raise ValueError(f"a VESDE needs sde.sigma2_0 = sde.sigma2_min, not {self.sigma2_0} and {self.sigma2_min}")
        if self.type in ("vpsde", "sub_vpsde") and self.time_eps == 0 and self.sigma2_0 == 0:
            raise ValueError(f"sde.time_eps must be positive for {self.type} with sigma2_0 = 0 (1/variance diverges)")
        return self


class ObjectiveConfig(Section):
    """One cell of Table 6: the prior's weighting, its time distribution, and how the encoder's times are drawn."""

    weighting: Literal["ll", "un", "re", "rescale"] = Field(
        "un", description="w of the prior's loss: w_ll, w_un, w_re, or 1 / (1 - variance) (uniform times only)"
    )
    time: Literal["uniform", "is"] = Field("is", description="t for the prior: uniform, or importance sampled (r_w)")
    q_time: Literal["rew", "ll", "uniform"] = Field(
        "rew", description="t for the encoder: the prior's, or its own from r_ll or uniform"
    )
    disjoint: bool = Field(False, description="algorithm 2 as two sequential passes instead of one joint batch")
    update_q_ema: bool = Field(False, description="the encoder's pass sees the averaged prior (disjoint only)")
    official_weights: bool = Field(
        False,
        description="parity switch: the authors' loss weights where they differ from the exact ones",
    )
    official_kl_coeff: bool = Field(
        False, description="parity switch: in algorithm 1 the KL coefficient also multiplies the prior's loss"
    )

    @model_validator(mode="after")
    def _consistent(self) -> ObjectiveConfig:
        if self.disjoint and self.q_time == "rew":
            raise ValueError(
                "objective.disjoint needs objective.q_time = ll or uniform: with rew there is one batch of times"
            )
        if self.weighting == "rescale" and self.time == "is":
            raise ValueError("objective.weighting = rescale has no importance sampler; take objective.time = uniform")
        if self.update_q_ema and not self.disjoint:
            raise ValueError("objective.update_q_ema needs objective.disjoint = true")
        return self

    @property
    def algorithm(self) -> Literal[1, 2, 3]:
        """Which of the paper's three algorithms (method.md: Training algorithms) these choices mean."""
        if self.q_time != "rew":
            return 2
        return 1 if self.weighting == "ll" else 3
