"""Checkpoints of the authors' scripts: read, converted, written."""

from .convert import OfficialModel, load, read
from .export import write

__all__ = ["OfficialModel", "load", "read", "write"]
