"""One experiment = one row of the paper: everything that a run depends on, resolved and validated."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from pydantic import Field, model_validator

from .base import ConfigError, Section
from .data import DataConfig
from .diffusion import ObjectiveConfig, SdeConfig
from .evaluation import EvaluateConfig, SampleConfig
from .figures import FiguresConfig
from .model import PriorConfig, VaeConfig
from .training import PretrainConfig, TrainConfig

Stage = Literal["prepare", "pretrain", "train", "sample", "evaluate", "tolerance", "samplers", "variance", "cost"]

# Raise it when a change to the code makes earlier results wrong: the workflow then redoes them.
# 3: flows have one ELU between two convolutions; parts of a set are drawn, not its first images.
RESULTS_VERSION = 3

_MEASURED = ("seed", "data", "vae", "pretrain", "prior", "sde", "objective", "train", "sample", "evaluate")

# The sections on which the result of each stage depends, those of the stages before it included.
STAGE_SECTIONS: dict[Stage, tuple[str, ...]] = {
    "prepare": ("data",),
    "pretrain": ("seed", "data", "vae", "pretrain"),
    "train": ("seed", "data", "vae", "pretrain", "prior", "sde", "objective", "train"),
    "sample": ("seed", "data", "vae", "pretrain", "prior", "sde", "objective", "train", "sample"),
    "evaluate": _MEASURED,
    "tolerance": (*_MEASURED, "figures"),
    "samplers": (*_MEASURED, "figures"),
    "cost": (*_MEASURED, "figures"),
    "variance": ("seed", "data", "vae", "pretrain", "prior", "sde", "objective", "train", "figures"),
}


class ExperimentConfig(Section):
    """Settings of one run. `backbone` null: a VAE alone. Otherwise the experiment whose VAE the prior is trained on."""

    name: str = Field(min_length=1)
    scale: str = Field("paper", min_length=1)
    cell: str | None = Field(None, description="cell of Table 6, if this is one")
    variant: str | None = Field(None, description="change from config/axes.yaml, if this run has one; several: a+b")
    backbone: str | None = None
    scaled_down: str | None = Field(None, description="what this scale makes smaller than the paper; printed in tables")
    seed: int = Field(1, ge=0)
    data: DataConfig
    vae: VaeConfig = VaeConfig()
    pretrain: PretrainConfig = PretrainConfig()
    prior: PriorConfig = PriorConfig()
    sde: SdeConfig = SdeConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    train: TrainConfig = TrainConfig()
    sample: SampleConfig = SampleConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    figures: FiguresConfig = FiguresConfig()

    @model_validator(mode="after")
    def _consistent(self) -> ExperimentConfig:
        if self.objective.weighting == "un" and self.objective.time == "is" and self.sde.type == "geometric":
            raise ValueError("objective.time = is with weighting un (r_un) is not defined for sde.type = geometric")
        if self.objective.weighting == "rescale" and self.sde.type == "vesde":
            raise ValueError("objective.weighting = rescale is negative for sde.type = vesde; take ll, un or re")
        if not self.vae.has_weights:
            self._require_plain_pixels()
        if self.data.binarise != (self.vae.output == "bernoulli"):
            raise ValueError(
                f"vae.output = bernoulli and data.binarise = true go together: "
                f"vae.output is {self.vae.output!r}, data.binarise is {self.data.binarise}"
            )
        preserving = self.sde.type in ("vpsde", "geometric")
        if self.sample.solver == "ancestral" and not (preserving or self.sample.official_discretisation):
            raise ValueError(f"sample.solver = ancestral needs a variance-preserving SDE, not {self.sde.type}")
        if self.sample.solver == "ancestral" and self.sde.type == "vesde":
            raise ValueError("sample.solver = ancestral is not defined for sde.type = vesde, whose variance exceeds 1")
        return self

    def _require_plain_pixels(self) -> None:
        if self.data.binarise:
            raise ValueError(
                "data.binarise = true, but with vae.arch = pixels the prior models intensities; set it to false"
            )
        if self.data.pad:
            raise ValueError(
                f"data.pad = {self.data.pad}, but with vae.arch = pixels the bound would count the padding's pixels; "
                "set it to 0, and take as few levels in prior.channel_mult as halve the image"
            )
        if self.train.train_vae and not self.is_vae:
            raise ValueError(
                "train.train_vae = true, but with vae.arch = pixels there is no VAE to train; set it to false"
            )

    def require_sides(self, height: int, width: int) -> None:
        """Refuse raw images of this size, in pixels, if the networks cannot take them; by arithmetic alone.

        Raises:
            ConfigError: the VAE cannot halve them often enough, or the score network needs other latents.
        """
        self.vae.require_sides(height, width, self.data.pad)
        if self.is_vae:
            return
        if height != width:
            raise ConfigError(
                f"{self.name}: the score-based prior needs square images, and these are {height}x{width} pixels; "
                "crop or pad them before"
            )
        side, levels = (height + 2 * self.data.pad) // self.vae.downsampling, len(self.prior.channel_mult)
        if side % 2 ** (levels - 1):
            raise ConfigError(
                f"{self.name}: prior.channel_mult has {levels} levels, so the side of the latent must be a multiple of "
                f"{2 ** (levels - 1)}, not {side} (images of {height}x{width} pixels); take fewer levels"
            )

    @property
    def is_vae(self) -> bool:
        """Whether this experiment ends with the VAE backbone, without a score-based prior."""
        return self.backbone is None

    @property
    def kind(self) -> Literal["vae", "lsgm"]:
        """Which of the two kinds of model the experiment ends with."""
        return "vae" if self.is_vae else "lsgm"

    def fingerprint(self, stage: Stage) -> str:
        """Hash of all settings that the result of `stage` depends on: 12 hex digits."""
        sections = {name: self.model_dump(mode="json")[name] for name in STAGE_SECTIONS[stage]}
        if "figures" in sections:
            sections["figures"] = self.figures.of_stage(stage)
        if self.is_vae:
            for unused in ("prior", "sde", "objective", "train"):
                sections.pop(unused, None)
        text = json.dumps({"version": RESULTS_VERSION, **sections}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
