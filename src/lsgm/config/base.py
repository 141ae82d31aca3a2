"""What every settings section shares: strictness, immutability, and one kind of error for a user's mistake."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class ConfigError(ValueError):
    """A mistake in the input (settings, files, combinations); the CLI prints it as one line and exits with code 2."""


class Section(BaseModel):
    """Base of all settings: unknown keys are errors, values are validated and then frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)
