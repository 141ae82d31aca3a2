"""The page on all runs: what they share, what to mind, and everything on record of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from fake_metrics import STAND_IN, make_metrics, make_vae

from lsgm.cli.main import main
from lsgm.config import ConfigError
from lsgm.config.catalogue import Catalogue
from lsgm.reporting.notes.run_facts import duration
from lsgm.reporting.records.run_records import differing_settings, read_trained, records_of
from lsgm.reporting.records.runs import read_run, unknown
from lsgm.reporting.runs_page import anchor, runs_page

CELL = "ablation/vpsde-un-is-rew"
TRAINING = {
    "status": "ok",
    "reason": None,
    "steps": 20_000,
    "epochs": 2,
    "seconds": 7400.0,
    "device": "cuda (NVIDIA H200)",
    "commit": "c0ffee0",
    "dirty": False,
    "versions": {"torch": "2.13.0"},
    "final": {"loss_vae": 1.25},
}


def beside(folder: Path, config: Path, run: str, scale="test", **training) -> Path:
    """Put a run's settings and training record into its folder; returns the latter."""
    settings = Catalogue(config).settings(run, scale).model_dump(mode="json")
    (folder / "model.config.yaml").write_text(yaml.safe_dump(settings))
    (folder / "training.json").write_text(json.dumps(TRAINING | training))
    return folder / "training.json"


@pytest.fixture
def run(store, config):
    """Write all files of a run; returns it."""

    def make(*metrics, **training):
        files = [store(one) for one in metrics]
        for file in files:
            beside(file.parent, config, metrics[0].run, **training)
        return read_run(metrics[0].run, files, unknown)

    return make


@pytest.fixture
def make_page(config):
    catalogue = Catalogue(config)
    return lambda runs, trained=(): runs_page(runs, trained, lambda record: catalogue.settings(record.name, "paper"))


def test_what_all_runs_share_is_said_once_and_differences_are_named(run, make_page):
    same = make_page([run(make_metrics("cifar10_balanced")), run(make_vae())])
    above = same.partition("<h2>Overview</h2>")[0]
    assert "The same for all runs" in above and "c0ffee0" in above and "torch 2.13.0" in above
    assert "To mind" not in above
    other = make_metrics("mnist", provenance__commit="badc0de", provenance__dirty=True)
    above, _, below = make_page([run(make_metrics("cifar10_balanced")), run(other)]).partition("<h2>Overview</h2>")
    assert "The runs were made with different commits: badc0de, c0ffee0." in above
    assert "Made with uncommitted changes in the code: mnist." in above
    assert "c0ffee0; badc0de*" in below, "trained with one commit, measured with another that had changes"


def test_each_run_shows_results_provenance_training_and_settings(run, make_page):
    text = make_page([run(make_metrics("cifar10_balanced", **STAND_IN)), run(make_metrics("ablation", cell=CELL[9:]))])
    assert f'<a href="#{anchor(CELL)}">{CELL}</a>' in text and f'id="{anchor(CELL)}"' in text
    for words in (
        "3.012 ± 0.004 bits/dim, 10,000 images",
        "reconstruction 2, negative entropy -1, cross entropy 2.012",
        "0123456789ab",
        "d" * 64,
        "2026-01-01T00:00:00+00:00",
        "20,000 in 2 epochs",
        "2 h 03 min",
        "cuda (NVIDIA H200)",
        "<td>1.25</td>",
        "num_channels: 4",
    ):
        assert words in text, words


def test_settings_that_differ_from_the_papers_size_are_listed_with_both_values(run, make_page, config):
    catalogue = Catalogue(config)
    mine, paper = (catalogue.settings("mnist", scale) for scale in ("test", "paper"))
    found = {key: values for key, *values in differing_settings(mine, paper)}
    assert found["train.epochs"] == ["2", str(paper.train.epochs)]
    assert found["data.name"] == ["digits", "mnist"]
    assert found["data.num_train"] == ["160", "none"]
    assert "scale" not in found and "sde.type" not in found
    assert differing_settings(paper, paper) == []
    vae = differing_settings(*(catalogue.settings("mnist_vae", scale) for scale in ("test", "paper")))
    assert vae and not [key for key, *_ in vae if key.startswith(("prior.", "train.", "sde."))]
    assert f"{len(found)} settings that differ" in make_page([run(make_metrics("mnist"))])


def test_other_settings_of_the_measurement_are_noticed(run, make_page, config):
    hash_of_file = Catalogue(config).fingerprint("mnist", "test", "evaluate")
    assert "other settings than those of the training" in make_page([run(make_metrics("mnist"))])
    as_set = make_metrics("mnist", provenance__config_hash=hash_of_file)
    assert "other settings than those of the training" not in make_page([run(as_set)])


def test_runs_that_failed_or_were_only_trained_say_so(run, make_page, config, tmp_path):
    failed = make_metrics("mnist", status="diverged", reason="loss is nan", nelbo=None, frechet=None)
    trained = read_trained("cifar10_vae2", beside(tmp_path, config, "cifar10_vae2"))
    text = make_page([run(failed)], [trained])
    assert "diverged: loss is nan" in text
    assert "ok, trained only" in text


def test_returns_to_an_earlier_step_and_processes_are_shown(run, make_page):
    back = {"step": 300, "reason": "not finite", "rolled_back_to": 100, "lr_factor": 0.5, "sr_factor": 1.0}
    text = make_page([run(make_metrics("mnist"), rollbacks=[back], processes=4)])
    assert "from 300 to 100 (not finite)" in text
    assert "cuda (NVIDIA H200), 4 processes" in text


def test_seeds_are_told_apart(run, make_page):
    seeds = run(*(make_metrics("mnist", provenance__seed=seed) for seed in (1, 2)))
    assert [record.name for record in records_of(seeds)] == ["mnist, seed 1", "mnist, seed 2"]


def test_an_absent_or_damaged_record_is_one_line(run):
    made = run(make_metrics("mnist"))
    folder = made.seeds[0].file.parent
    (folder / "training.json").write_text("{")
    with pytest.raises(ConfigError, match=r"training\.json.*train again"):
        records_of(made)
    (folder / "training.json").unlink()
    with pytest.raises(ConfigError, match=r"training\.json: no training record"):
        records_of(made)


def test_the_verb_writes_the_page_and_refuses_files_of_other_runs(store, config, capsys, tmp_path):
    file = store(make_metrics("mnist"))
    beside(file.parent, config, "mnist")
    words = ["runs", "--config-dir", str(config), "--out", "new/runs.html", "--metrics"]
    assert main([*words, f"mnist={file}"]) == 0
    assert "metrics file" in Path("new/runs.html").read_text()
    assert main([*words, f"omniglot={file}"]) == 2
    assert "holds the metrics of 'mnist', not of 'omniglot'" in capsys.readouterr().err
    assert main(["runs", "--config-dir", str(config), "--out", "new/none.html"]) == 0
    assert "There are no runs" in Path("new/none.html").read_text()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4567, "0.457 s"), (99, "99 s"), (720, "12 min"), (7400, "2 h 03 min")]
)
def test_durations(seconds, words):
    assert duration(seconds) == words
