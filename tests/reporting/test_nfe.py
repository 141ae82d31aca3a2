"""The two counts of evaluations: of a batch, which is the paper's, and of an image."""

from __future__ import annotations

from pathlib import Path

from fake_metrics import make_metrics

from lsgm.reporting.notes.table_notes import run_notes
from lsgm.reporting.records.runs import Run, SeedRun


def notes(*metrics) -> str:
    return run_notes(None, [Run("a", tuple(SeedRun(Path("m.json"), one) for one in metrics))])[0]


def test_notes_name_both_counts_where_they_differ():
    assert "NFE of a batch of samples 138; NFE of a sample, mean 121" in notes(
        make_metrics(sampling__nfe_per_image=120.6)
    )
    same = notes(make_metrics(sampling__nfe_per_image=138.0))
    assert "NFE of a batch of samples 138" in same and "NFE of a sample" not in same


def test_files_of_earlier_versions_have_one_count():
    text = notes(make_metrics())
    assert "NFE of a batch of samples 138" in text and "NFE of a sample" not in text


def test_counts_of_several_seeds():
    several = [make_metrics(sampling__nfe=nfe, sampling__nfe_per_image=nfe - 10) for nfe in (138.0, 140.0)]
    assert "NFE of a batch of samples 138, 140; NFE of a sample, mean 128, 130" in notes(*several)
