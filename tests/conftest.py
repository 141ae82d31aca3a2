"""What all tests share: threads, signals, and data that only some machines have."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from parity.vectors import DEFAULT_FOLDER

torch.set_num_threads(1)
# A shell lets what it starts in the background ignore Ctrl-C, and children inherit that: tests of it would fail there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

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
