"""The record that a training leaves beside its model, `training.json`, read into whatever keeps a part of it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from lsgm.config import ConfigError, validate
from lsgm.config.text_files import read_json

T = TypeVar("T", bound=BaseModel)


def read_training(path: Path, kind: type[T]) -> T:
    """Read those fields of a training record that `kind` has.

    Raises:
        ConfigError: the file is absent or damaged.
    """
    try:
        record = read_json(path, "train again")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no training record beside the model; train again") from None
    fields = {field: record[field] for field in kind.model_fields if field in record}
    return validate(kind, fields, str(path))
