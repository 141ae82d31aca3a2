"""Values of `snakemake --config key=value` as YAML has them: Snakemake reads `true`, `null` and `[1, 2]` as text."""

from __future__ import annotations

from collections.abc import Mapping

from .base import ConfigError
from .text_files import parse_yaml


def from_command_line(config: Mapping[str, object]) -> dict[str, object]:
    """Return the settings with booleans, null and whole numbers in lists in place of their spelling."""
    return {key: _value(value) for key, value in config.items()}


def _value(value: object) -> object:
    if isinstance(value, list):
        return [_read(entry, int) for entry in value]
    return _read(value, (bool, type(None)))


def _read(value: object, kinds: type | tuple[type, ...]) -> object:
    """The YAML value of a text if it is of these kinds, else the text: a folder may be named 1 or [x."""
    if not isinstance(value, str):
        return value
    try:
        read = parse_yaml(value)
    except ConfigError:
        return value
    return read if isinstance(read, kinds) else value
