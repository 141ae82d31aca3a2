"""What the runs of a table do not share is said below it; metrics files are links in Markdown."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_metrics import make_metrics, make_vae

from lsgm.reporting import build_table, write_table

SECOND = "cifar10_best_nll"
BACKBONE = {"run": "cifar10_vae1", "seed": 1, "model_sha256": "f" * 64}


@pytest.fixture
def notes(config, store):
    """Notes of Table 2 with two runs, of which the second is changed; `is_current` as for `build_table`."""

    def make(is_current=lambda metrics: None, **changes):
        runs = (make_metrics(), make_metrics(SECOND, **changes))
        files = {run.experiment: [store(run)] for run in runs}
        paper = config / "paper" / "table2.yaml"
        return build_table(2, paper, config / "ablation.csv", files, is_current).notes

    return make


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"provenance__commit": "aaaaaaa"}, "The runs were made with different commits: aaaaaaa, c0ffee0."),
        ({"training__commit": "bbbbbbb"}, "The runs were made with different commits: bbbbbbb, c0ffee0."),
        ({"sampling__commit": "ddddddd"}, "The runs were made with different commits: c0ffee0, ddddddd."),
        ({"provenance__commit": None}, "The runs were made with different commits: c0ffee0, unknown."),
        ({"provenance__dirty": True}, f"Made with uncommitted changes in the code: {SECOND}."),
        ({"training__dirty": True}, f"Made with uncommitted changes in the code: {SECOND}."),
        ({"sampling__dirty": True}, f"Made with uncommitted changes in the code: {SECOND}."),
        ({"scale": "gpu"}, "The runs are of different scales: gpu, paper."),
        ({"provenance__seed": 2}, f"The runs have different seeds: 2 ({SECOND}); 1 (cifar10_balanced)."),
        ({"provenance__device": "cuda (GPU)"}, "The runs were made on different devices: cpu, cuda (GPU)."),
        ({"training__device": "cuda (GPU)"}, "The runs were made on different devices: cpu, cuda (GPU)."),
        ({"sampling__device": "mps"}, "The runs were made on different devices: cpu, mps."),
        (
            {"provenance__versions": {"torch": "2.14.0"}},
            "The runs were made with different versions of torch: 2.13.0, 2.14.0.",
        ),
        (
            {"training__versions": {"torch": "2.12.0", "numpy": "2"}},
            "The runs were made with different versions of torch: 2.12.0, 2.13.0.",
        ),
        (
            {
                "sampling__versions": {"torch": "2.13.0", "torchdiffeq": "0.2"},
                "provenance__versions": {"torchdiffeq": "0.3"},
            },
            "The runs were made with different versions of torchdiffeq: 0.2, 0.3.",
        ),
        ({"training__data_checksum": "0" * 64}, f"Measured on other data than they were trained on: {SECOND}."),
        (
            {"provenance__data_checksum": "0" * 64},
            "Runs on the same data set used different arrays (see the data checksums in the metrics files).",
        ),
    ],
)
def test_each_difference_is_said_and_nothing_else(notes, changes, note):
    plain, changed = notes(), notes(**changes)
    assert note not in plain
    assert note in changed
    said = [text for text in changed if text.startswith(("The runs", "Made with", "Runs on", "Measured on"))]
    assert said == [note]


def test_runs_with_other_settings_than_the_present_ones_are_named(notes):
    note = f"Made with other settings than those in the config folder now: {SECOND}."
    assert note in notes(is_current=lambda metrics: metrics.experiment != SECOND)
    for known in (True, None):
        assert note not in notes(is_current=lambda metrics, known=known: known)


def test_metrics_files_are_links_relative_to_the_table(config, store, tmp_path):
    runs = (make_metrics(), make_metrics(SECOND), make_metrics(SECOND, provenance__seed=2), make_vae())
    files: dict[str, list[Path]] = {}
    for run in runs:
        files.setdefault(run.experiment, []).append(store(run))
    table = build_table(2, config / "paper" / "table2.yaml", config / "ablation.csv", files)
    _, markdown, _ = write_table(table, Path("results/paper/tables/table2"))
    text = markdown.read_text()
    targets = [part.split(")")[0] for part in text.split("](")[1:]]
    assert len(targets) == len(runs)
    assert all((markdown.parent / target).is_file() for target in targets)
    assert f"../{SECOND}/seed-2/metrics.json" in targets
    assert str(tmp_path) not in text


def test_the_backbone_can_be_followed(config, store):
    files = {"cifar10_balanced": [store(make_metrics(training__backbone=BACKBONE))]}
    table = build_table(2, config / "paper" / "table2.yaml", config / "ablation.csv", files)
    assert "backbone cifar10_vae1 (seed 1, model SHA-256 ffffffffffff)" in table.run_notes[0]
    assert "f" * 64 in table.csv
