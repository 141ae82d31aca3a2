"""Measurement files: one settings-like section as JSON, checked when it is read, whole or absent on the disk."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TypeVar

from lsgm.config import ConfigError, Section, validate

Kind = TypeVar("Kind", bound=Section)


def write_section(path: Path, section: Section) -> None:
    """Write one file, whole or not at all.

    Args:
        path: file to write; its folder must exist.
        section: what was measured; its field `format` says which version this is.
    """
    text = json.dumps(section.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; make it with `lsgm {verb}`") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path}: damaged ({error}); delete it and run `lsgm {verb}` again") from None
    found, expected = content.get("format") if isinstance(content, dict) else None, kind.model_fields["format"].default
    if found != expected:
        raise ConfigError(f"{path}: format {found!r} instead of {expected!r}; make it again with `lsgm {verb}`")
    return validate(kind, content, str(path))
