"""Settings of the workflow: `snakemake --config key=value` and config/config.yaml, each mistake as one line.

Snakemake reads `true`, `null` and `[1, 2]` on its command line as text, and answers a mistake with a whole schema.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path

from .base import ConfigError
from .text_files import parse_yaml


def workflow_settings(config: Mapping[str, object], schema: Path) -> dict[str, object]:
    """Return the settings with their types, checked against the schema.

    Args:
        config: as Snakemake has read them.
        schema: JSON schema of them.

    Raises:
        ConfigError: naming the key, the value and what it may be.
    """
    from jsonschema import Draft202012Validator

    found = {key: _value(value) for key, value in config.items()}
    known = json.loads(schema.read_text(encoding="utf-8"))["properties"]
    for key, value in found.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            cure = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
            raise ConfigError(f"config: there is no key {key!r}; {cure}")
        if not Draft202012Validator(known[key]).is_valid(value):
            raise ConfigError(f"config: {key} = {value!r} is not valid; {known[key]['description']}")
    return found


def _value(value: object) -> object:
    if isinstance(value, list):
        return [_read(entry, int) for entry in value]
    return _read(value, (bool, type(None), list))


def _read(value: object, kinds: type | tuple[type, ...]) -> object:
    """The YAML value of a text if it is of these kinds, else the text: a folder may be named 1 or [x."""
    if not isinstance(value, str):
        return value
    try:
        read = parse_yaml(value)
    except ConfigError:
        return value
    return read if isinstance(read, kinds) else value
