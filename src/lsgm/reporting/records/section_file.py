"""Measurement files: one settings-like section as JSON, checked when it is read, whole or absent on the disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from lsgm.config import ConfigError, Section, validate
from lsgm.config.text_files import read_json
from lsgm.whole_file import write_text_whole

Kind = TypeVar("Kind", bound=Section)


def write_section(path: Path, section: Section) -> None:
    """Write one file, whole or not at all.

    Args:
        path: file to write; its folder must exist.
        section: what was measured; its field `format` says which version this is.
    """
    text = json.dumps(section.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_text_whole(path, text)


def read_section(path: Path, kind: type[Kind], verb: str) -> Kind:
    """Read and check one file.

    Args:
        path: the file.
        kind: what must be in it.
        verb: of the command line that writes such files, for the messages.

    Raises:
        ConfigError: absent, not JSON (cut off), another format, or a value that cannot be.
    """
    try:
        content = read_json(path, f"delete it and run `lsgm {verb}` again")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; make it with `lsgm {verb}`") from None
    found, expected = content.get("format"), kind.model_fields["format"].default
    if found != expected:
        raise ConfigError(f"{path}: format {found!r} instead of {expected!r}; make it again with `lsgm {verb}`")
    return validate(kind, content, str(path))
