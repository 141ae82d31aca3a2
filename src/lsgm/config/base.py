"""What every settings section shares: strictness, immutability, and one kind of error for a user's mistake."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

MAX_MESSAGE = 2000
_BREAKS = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")


class ConfigError(ValueError):
    """A mistake in the input (settings, files, combinations); the CLI prints it as one line and exits with code 2.

    Messages quote what stands in files from outside, so whatever a terminal would act upon is made visible here, and
    what is too long to be read loses its middle.
    """

    def __init__(self, message: str) -> None:
        text = _BREAKS.sub(" ", message)
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
        if len(text) > MAX_MESSAGE:
            text = f"{text[: MAX_MESSAGE // 2]} ... {text[-MAX_MESSAGE // 4 :]}"
        super().__init__(text)


class Section(BaseModel):
    """Base of all settings: unknown keys are errors, values are validated and then frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)
