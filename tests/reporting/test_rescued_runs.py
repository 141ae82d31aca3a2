"""Runs whose training went back to an earlier state, or whose weights are not those of the end, say so."""

from __future__ import annotations

from pathlib import Path

from fake_metrics import make_metrics

from lsgm.reporting.notes.table_notes import run_notes
from lsgm.reporting.records.metrics import read_metrics, write_metrics
from lsgm.reporting.records.runs import Run, SeedRun

ROLLBACKS = [
    {"step": 340, "reason": "r", "rolled_back_to": 300, "lr_factor": 0.5, "sr_factor": 2.0},
    {"step": 450, "reason": "r", "rolled_back_to": 400, "lr_factor": 0.25, "sr_factor": 4.0},
]
GENTLE = "in the end with learning rates x 0.25 and spectral regularisation x 4"


def note(*metrics) -> str:
    return run_notes(None, [Run("a", tuple(SeedRun(Path("m.json"), one) for one in metrics))])[0]


def test_a_note_tells_of_rollbacks(tmp_path):
    metrics = make_metrics(training__rollbacks=ROLLBACKS)
    write_metrics(tmp_path / "m.json", metrics)
    assert read_metrics(tmp_path / "m.json").training.rollbacks[1].lr_factor == 0.25
    assert f"training not finite and rolled back from step 340 to 300, from step 450 to 400, {GENTLE}" in note(metrics)
    assert "rolled back" not in note(make_metrics())


def test_of_which_seed():
    one, two = make_metrics(), make_metrics(provenance__seed=2, training__rollbacks=ROLLBACKS[1:])
    assert f"rolled back seed 2: from step 450 to 400, {GENTLE}" in note(one, two)


def test_a_note_tells_of_weights_from_before_the_end():
    assert "weights after step 60 of 100" in note(make_metrics(training__weights_step=60))
    assert "weights after" not in note(make_metrics(training__weights_step=100))
