"""DVC beside Snakemake, with the committed dvc.yaml, in checkouts of their own: neither redoes the other's work."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from small_checkout import ROOT, RUN, call, commit_all, edit, make_checkout

pytest.importorskip("snakemake", reason="the workflow needs snakemake (pip install 'lsgm[workflow]')")
pytest.importorskip("dvc", reason="these tests need DVC (pip install 'lsgm[workflow]')")

METRICS = f"results/test/{RUN}/metrics.json"
MODEL = f"results/test/{RUN}/model.safetensors"
SCALE = "config/scales/test.yaml"
SAMPLES = "num_iw_samples: 5"
UP_TO_DATE = "Data and pipelines are up to date."
NOTHING = "Nothing to be done"


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A checkout in which `dvc repro` made everything, committed."""
    folder = tmp_path_factory.mktemp("finished") / "checkout"
    make_checkout(folder)
    call(folder, "dvc", "repro")
    assert call(folder, "git", "status", "--porcelain").split() == ["??", "docs/", "??", "dvc.lock"]
    commit_all(folder)
    return folder


@pytest.fixture
def checkout(finished, tmp_path) -> Path:
    """A copy of it, file times included."""
    return Path(shutil.copytree(finished, tmp_path / "checkout", symlinks=True))


@pytest.fixture
def clone(finished, tmp_path) -> Path:
    """A clone of it, its data pulled from a remote."""
    origin, folder = tmp_path / "origin", tmp_path / "clone"
    shutil.copytree(finished, origin, symlinks=True)
    add_remote(origin)
    call(origin, "dvc", "push")
    call(tmp_path, "git", "clone", "--quiet", "origin", "clone")
    add_remote(folder)
    call(folder, "dvc", "pull")
    return folder


def add_remote(folder: Path) -> None:
    call(folder, "dvc", "remote", "add", "--local", "--default", "store", str(folder.parent / "remote"))


def plan(folder: Path) -> str:
    return call(folder, "snakemake", "--dry-run", "all_tables")


def both_up_to_date(folder: Path) -> bool:
    return UP_TO_DATE in call(folder, "dvc", "status") and NOTHING in plan(folder)


def test_the_repository_names_no_remote_and_reports_to_nobody():
    config = (ROOT / ".dvc" / "config").read_text()
    assert "remote" not in config
    assert "analytics = false" in config


@pytest.mark.slow
def test_what_one_tool_made_the_other_does_not_make_again(checkout):
    assert both_up_to_date(checkout)
    model = (checkout / MODEL).stat().st_mtime_ns
    (checkout / METRICS).unlink()
    assert "modified" in call(checkout, "dvc", "status")
    (checkout / "docs" / "test" / "tables" / "table5.md").write_text("changed since the commit\n")
    call(checkout, "snakemake", "all_tables")
    measured = (checkout / METRICS).stat().st_mtime_ns
    assert json.loads((checkout / METRICS).read_text())["provenance"]["dirty"] is False
    assert NOTHING in call(checkout, "dvc", "repro")
    assert (checkout / METRICS).stat().st_mtime_ns == measured
    assert (checkout / MODEL).stat().st_mtime_ns == model
    assert both_up_to_date(checkout)
    assert (checkout / f"docs/test/{RUN}/metrics.json").read_bytes() == (checkout / METRICS).read_bytes()


@pytest.mark.slow
def test_a_clone_with_pulled_data_is_up_to_date_and_notices_a_changed_setting(clone):
    assert both_up_to_date(clone)
    assert "didn't change" in call(clone, "dvc", "repro")
    assert call(clone, "git", "status", "--porcelain") == ""
    edit(clone / SCALE, SAMPLES, "num_iw_samples: 6")
    status = call(clone, "dvc", "status")
    assert SCALE in status
    jobs = plan(clone)
    assert "evaluate" in jobs
    assert "pretrain" not in jobs
    changes = [line.split() for line in call(clone, "dvc", "params", "diff").splitlines()]
    assert [SCALE, "all.evaluate.nelbo.num_iw_samples", "5", "6"] in changes
    edit(clone / SCALE, "num_iw_samples: 6", SAMPLES)
    assert both_up_to_date(clone)
    edit(clone / "config" / "experiments" / f"{RUN}.yaml", "vae:\n", "seed: 2\nvae:\n")
    assert f"config/experiments/{RUN}.yaml" in call(clone, "dvc", "params", "diff")
    assert "config" in call(clone, "dvc", "status")
    assert "pretrain" in plan(clone)


@pytest.mark.slow
def test_an_experiment_redoes_what_depends_on_its_setting_and_the_old_revision_comes_back(checkout):
    model = (checkout / MODEL).stat().st_mtime_ns
    before = (checkout / METRICS).read_bytes()
    call(checkout, "dvc", "exp", "run", "--set-param", f"{SCALE}:all.evaluate.nelbo.num_iw_samples=7")
    metrics = json.loads((checkout / METRICS).read_text())
    assert metrics["nll"]["num_iw_samples"] == 7
    assert metrics["provenance"]["dirty"] is True, "a setting differs from the commit"
    assert (checkout / MODEL).stat().st_mtime_ns == model
    assert both_up_to_date(checkout)
    shown = call(checkout, "dvc", "metrics", "show")
    assert f"docs/test/numbers/{RUN}.json" in shown
    assert f"{metrics['nll']['value']:.5f}" in shown
    assert "nll" in call(checkout, "dvc", "metrics", "diff")
    call(checkout, "git", "checkout", "--quiet", ".")
    call(checkout, "dvc", "checkout")
    assert (checkout / METRICS).read_bytes() == before
    assert both_up_to_date(checkout)


@pytest.mark.slow
def test_numbers_of_other_settings_are_not_published_when_the_records_are_lost(checkout):
    shutil.rmtree(checkout / ".snakemake")
    assert ".snakemake/metadata" in call(checkout, "dvc", "status")
    # DVC writes a model anew that has another name (`finished`); by its time alone, all would be made again.
    now = time.time()
    for file in (checkout / "results").rglob("*"):
        os.utime(file, (now, now))
    edit(checkout / SCALE, SAMPLES, "num_iw_samples: 6")
    assert METRICS in call(checkout, "dvc", "repro", fails=True)
    assert "publish" in call(checkout, "dvc", "status")


@pytest.mark.slow
def test_a_scale_that_does_not_exist_and_an_absent_remote_are_named(checkout):
    assert "no remote" in call(checkout, "dvc", "push", fails=True)
    edit(checkout / "config" / "config.yaml", "scale: test", "scale: huge")
    assert "config/scales/huge.yaml" in call(checkout, "dvc", "repro", fails=True)
