"""Which runs there are: the experiment files and the cells of Table 6. The workflow's view of the config folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, model_validator

from .base import ConfigError, Section
from .cells import read_cells
from .data import DataConfig
from .load import ABLATION, read_yaml, require_name, validate, yaml_files

# Stages whose jobs save themselves when they are stopped, and go on from there.
RESUMING_STAGES = ("pretrain", "train")
# Stages whose work several processes can share.
SHARED_STAGES = ("pretrain", "train", "sample", "evaluate")
# Settings of the data section that change the prepared file; the others act when a batch is made.
PREPARED_FIELDS = ("path", "patch_size", "num_train", "num_test", "test_fraction")


class Resources(Section):
    """What one job of a stage needs of the machine; of each machine, if it runs on several nodes."""

    threads: int = Field(1, ge=1)
    mem_mb: int = Field(4000, ge=100)
    runtime: int = Field(60, ge=1, description="minutes")
    gpu: int = Field(0, ge=0, description="GPUs of a node, with a process for each")
    nodes: int = Field(1, ge=1, description="nodes of a cluster")

    def on_attempt(self, attempt: int, resumes: bool) -> Resources:
        """What a job asks for when it is tried again: memory grows by half of the first request each time.

        Args:
            attempt: 1, 2, ...
            resumes: whether the job goes on where it stopped; one that starts anew gets more minutes, too.
        """
        growth = (attempt + 1) / 2
        grown = {"mem_mb": round(self.mem_mb * growth)}
        if not resumes:
            grown["runtime"] = round(self.runtime * growth)
        return self.model_copy(update=grown)


class StageResources(Section):
    """The section `resources` of a scale file."""

    prepare: Resources = Resources()
    pretrain: Resources = Resources()
    train: Resources = Resources()
    sample: Resources = Resources()
    evaluate: Resources = Resources()
    report: Resources = Resources()

    @model_validator(mode="after")
    def _only_shared_work_on_gpus_has_several_nodes(self) -> StageResources:
        for stage in STAGES:
            needed = getattr(self, stage)
            if needed.nodes > 1 and stage not in SHARED_STAGES:
                raise ValueError(f"resources.{stage}.nodes must be 1; only {', '.join(SHARED_STAGES)} can be shared")
            if needed.nodes > 1 and needed.gpu == 0:
                raise ValueError(f"resources.{stage}.nodes = {needed.nodes}, but gpu = 0; say how many each node has")
        return self

    def of(self, stage: str, attempt: int) -> Resources:
        """What a job of a stage asks for on its n-th attempt."""
        return getattr(self, stage).on_attempt(attempt, stage in RESUMING_STAGES)


STAGES = tuple(StageResources.model_fields)


@dataclass(frozen=True)
class Run:
    """One run of the workflow: its experiment file, its backbone (None: a VAE), its cell of Table 6 (or None)."""

    file: Path
    backbone: str | None
    cell: str | None


def read_runs(config: Path) -> dict[str, Run]:
    """List all runs by name: experiments, then `ablation/<cell>` for each cell that exists.

    Args:
        config: the folder that holds `experiments/` and `ablation.csv`.

    Raises:
        ConfigError: a file cannot be read, or names a backbone for which there is no experiment.
    """
    files = {file.stem: file for file in yaml_files(config / "experiments")}
    runs: dict[str, Run] = {}
    for name, file in files.items():
        backbone = read_yaml(file).get("backbone")
        if backbone is not None and require_name(backbone, f"{file}: backbone") not in files:
            raise ConfigError(f"{file}: backbone = {backbone!r} is not an experiment; there are: {', '.join(files)}")
        if name == ABLATION:
            for cell in read_cells(config / "ablation.csv").values():
                if not cell.not_applicable:
                    runs[f"{ABLATION}/{cell.name}"] = Run(file, backbone, cell.name)
        else:
            runs[name] = Run(file, backbone, None)
    return runs


def dataset_key(data: DataConfig) -> str:
    """Name of a prepared data file: the data set's, and a hash of its settings where they are not the defaults."""
    chosen = data.model_dump(mode="json", include=set(PREPARED_FIELDS), exclude_defaults=True)
    if not chosen:
        return data.name
    return f"{data.name}-{hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:6]}"


def read_resources(scale: Path) -> StageResources:
    """What the jobs of each stage need at one scale.

    Raises:
        ConfigError: unknown stage or key, or a value of the wrong type.
    """
    return validate(StageResources, read_yaml(scale).get("resources") or {}, str(scale))
