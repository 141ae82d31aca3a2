"""Fixtures for data that only some machines have; tests that want them are skipped, with the reason, elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from parity.vectors import DEFAULT_FOLDER

torch.set_num_threads(1)

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _folder(variable: str, fallback: Path) -> Path:
    folder = Path(os.environ.get(variable, fallback))
    if not folder.is_dir():
        pytest.skip(f"no folder {folder.name!r}: set {variable} to run this test")
    return folder


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of reference vectors computed with the published code (LSGM_REFERENCE)."""
    return _folder("LSGM_REFERENCE", DEFAULT_FOLDER)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of real data sets (LSGM_DATA)."""
    return _folder("LSGM_DATA", SHARED / "data")
