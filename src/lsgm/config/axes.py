"""Axes of the ablation beyond the paper's Table 6: named changes of settings that any run can be given.

`config/axes.yaml` holds one entry per change. A run with the change `frozen` is named `<run>+frozen`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from .base import ConfigError, Section
from .experiment import ExperimentConfig
from .load import BACKBONE_SECTIONS, read_yaml, validate

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
SECTIONS = tuple(
    name
    for name, field in ExperimentConfig.model_fields.items()
    if field.annotation is not None and isinstance(field.annotation, type) and issubclass(field.annotation, Section)
)


class Axis(Section):
    """One change: what it is called, what it sets, and the runs that the table of extra axes shows with and without."""

    title: str = Field(min_length=1, description="what is varied")
    base: str = Field(min_length=1, description="the run as it is, in words")
    variant: str = Field(min_length=1, description="the changed run, in words")
    settings: dict[str, dict[str, Any]] = Field(min_length=1, description="settings of the changed run, by section")
    runs: tuple[str, ...] = Field((), description="runs that the table of extra axes shows")

    @field_validator("settings")
    @classmethod
    def _sections(cls, settings: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        unknown = [name for name in settings if name not in SECTIONS]
        if unknown:
            raise ValueError(f"settings.{unknown[0]} is not a section; there are: {', '.join(SECTIONS)}")
        return settings

    @property
    def changes_backbone(self) -> bool:
        """Whether the VAE backbone must be trained with the change, too."""
        return any(section in self.settings for section in BACKBONE_SECTIONS)


def read_axes(file: Path) -> dict[str, Axis]:
    """Read all axes by name, in the order of the file.

    Raises:
        ConfigError: the file cannot be read, or an entry is wrong.
    """
    axes = {}
    for name, entry in read_yaml(file).items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ConfigError(f"{file}: {name!r} cannot be part of a run's name; use letters a-z, digits, - and _")
        if not isinstance(entry, dict):
            raise ConfigError(f"{file}: {name} has no settings; see the other entries")
        axes[name] = validate(Axis, entry, f"{file}, {name}")
    return axes


def choose_axes(axes: dict[str, Axis], names: Sequence[str], source: str) -> dict[str, Axis]:
    """Axes of these names, which must stand in the order of the file, each once.

    Args:
        axes: all that there are.
        names: those wanted.
        source: who wants them, for messages.

    Raises:
        ConfigError: an unknown name, or another order, which would give one run two names.
    """
    for name in names:
        if name not in axes:
            raise ConfigError(f"{source}: no variant {name!r}; config/axes.yaml has: {', '.join(axes) or 'none'}")
    ordered = [name for name in axes if name in names]
    if list(names) != ordered:
        raise ConfigError(f"{source}: variants stand in the order of config/axes.yaml, each once: {'+'.join(ordered)}")
    return {name: axes[name] for name in ordered}
