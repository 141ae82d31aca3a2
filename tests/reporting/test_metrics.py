"""The metrics file: round trip, atomic writing, and a clear word for every kind of damage."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
from fake_metrics import make_metrics, make_vae

from lsgm.config import ConfigError
from lsgm.evaluation.frechet import FrechetResult
from lsgm.reporting import read_metrics, write_metrics
from lsgm.reporting.records.metrics import FrechetMetrics, TrainingMetrics

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("make", [make_metrics, make_vae])
def test_round_trip(tmp_path, make):
    path, metrics = tmp_path / "metrics.json", make()
    write_metrics(path, metrics)
    assert read_metrics(path) == metrics
    first = path.read_bytes()
    write_metrics(path, metrics)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]
    assert json.loads(first)["format"] == 1


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_metrics(path, make_metrics())
    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(ConfigError, match="disk full"):
        write_metrics(path, make_vae())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file; make it with `lsgm evaluate`"),
        ("", "damaged"),
        ('{"format": 1, "experi', "damaged"),
        ("[]", "damaged"),
        ('{"format": 2}', "format 2 instead of 1"),
        ('{"format": 1}', "experiment"),
    ],
)
def test_damaged_files(tmp_path, text, message):
    path = tmp_path / "metrics.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        read_metrics(path)
    assert str(path) in str(error.value)


def test_values_that_cannot_be(tmp_path):
    path = tmp_path / "metrics.json"
    write_metrics(path, make_metrics())
    content = json.loads(path.read_text())
    for change in ({"nelbo": {**content["nelbo"], "value": math.nan}}, {"unknown": 1}, {"status": "diverged"}):
        path.write_text(json.dumps({**content, **change}))
        with pytest.raises(ConfigError):
            read_metrics(path)
    with pytest.raises(ValueError, match="VAE only"):
        make_metrics(nll=make_vae().nll)


def test_a_diverged_loss_is_shown_not_hidden():
    final = TrainingMetrics(steps=1, epochs=0.1, seconds=1, final={"loss": math.nan, "norm": math.inf, "lr": 0.1}).final
    assert final == {"loss": "nan", "norm": "inf", "lr": 0.1}


def test_records_of_earlier_versions_are_read(tmp_path):
    """Facts that were not recorded then are unknown now, and nothing else is."""
    path, metrics = tmp_path / "metrics.json", make_metrics()
    write_metrics(path, metrics)
    content = json.loads(path.read_text())
    later = {
        "training": ("processes", "data_checksum", "versions", "dirty", "commit", "device", "backbone"),
        "sampling": ("nfe_per_image", "processes", "versions", "dirty", "commit", "device"),
        "provenance": ("processes",),
    }
    for part, names in later.items():
        for name in names:
            del content[part][name]
    path.write_text(json.dumps(content))
    assert read_metrics(path) == metrics


PUBLISHED = sorted((ROOT / "docs").rglob("metrics.json"))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_published_metrics_are_read(path):
    assert read_metrics(path).status == "ok"


def test_frechet_result_fits():
    fields = [field.name for field in dataclasses.fields(FrechetResult)]
    assert fields == list(FrechetMetrics.model_fields)
