"""Fixtures for tables: the project's settings, and a place for metrics files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lsgm.reporting import write_metrics
from lsgm.reporting.records.metrics import Metrics

CONFIG = Path(__file__).resolve().parents[2] / "config"


@pytest.fixture
def config() -> Path:
    """Folder of the project's settings."""
    return CONFIG


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Write metrics below a temporary folder that is the working folder; returns the relative path."""
    monkeypatch.chdir(tmp_path)

    def write(metrics: Metrics) -> Path:
        name = (metrics.cell or metrics.experiment) + (f"+{metrics.variant}" if metrics.variant else "")
        seed = metrics.provenance.seed
        path = Path("results", metrics.scale, name, "" if seed == 1 else f"seed-{seed}", "metrics.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_metrics(path, metrics)
        return path

    return write
