"""`lsgm publish`: small final files are copied, outdated ones are not, and nothing of an earlier call stays."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import chain
import pytest
from fake_metrics import make_metrics, make_vae
from reporting.figure_cases import make_study

from lsgm.cli.main import main
from lsgm.config import load_experiment
from lsgm.config.catalogue import Catalogue
from lsgm.reporting import write_metrics
from lsgm.reporting.records.section_file import write_section

CONFIG = chain.ROOT / "config"
CELL = "vpsde-un-is-rew"


def add_run(results: Path, run: str, **changes) -> None:
    """A metrics file at scale test, as if it were made with the present settings."""
    cell = run.partition("/")[2] or None
    experiment = run.partition("/")[0]
    file = CONFIG / "experiments" / f"{experiment}.yaml"
    config = load_experiment(file, CONFIG / "scales" / "test.yaml", cell, [f"seed={changes.pop('seed', 1)}"])
    make = make_vae if config.is_vae else make_metrics
    origin = {"provenance__config_hash": config.fingerprint("evaluate"), "provenance__seed": config.seed}
    (results / run).mkdir(parents=True)
    name = changes.pop("experiment", experiment)
    metrics = make(name, **{"scale": "test", "cell": cell, **origin, **changes})
    write_metrics(results / run / "metrics.json", metrics)


@pytest.fixture
def results(tmp_path) -> Path:
    folder = tmp_path / "results" / "test"
    add_run(folder, "mnist_vae")
    add_run(folder, f"ablation/{CELL}", seed=7)
    (folder / "tables").mkdir()
    for ending in ("csv", "md", "tex"):
        (folder / "tables" / f"table5.{ending}").write_text(f"table 5 as {ending}\n")
    (folder / "figures").mkdir()
    for name in ("figure5.png", "figure5.pdf"):
        (folder / "figures" / name).write_bytes(name.encode())
    return folder


def publish(results: Path, out: Path) -> int:
    return main(["publish", str(results), "--config-dir", str(CONFIG), "--out", str(out)])


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_tables_metrics_and_numbers_keep_the_layout_of_the_results(results, tmp_path):
    out = tmp_path / "docs" / "test"
    assert publish(results, out) == 0
    tables = {f"tables/table5.{ending}" for ending in ("csv", "md", "tex")}
    cell = f"ablation/{CELL}"
    assert files(out) == tables | {
        "figures/figure5.png",
        "mnist_vae/metrics.json",
        f"{cell}/metrics.json",
        "numbers/mnist_vae.json",
        f"numbers/{cell}.json",
    }
    for file in (*tables, "figures/figure5.png", f"{cell}/metrics.json"):
        assert (out / file).read_bytes() == (results / file).read_bytes()
    assert json.loads((out / "numbers" / "mnist_vae.json").read_text()) == {
        "status": "ok",
        "nelbo": 3.0123,
        "nelbo_stderr": 0.0042,
        "unit": "bits/dim",
        "nll": 2.9876,
        "frechet": 2.345,
        "nfe": 138.0,
    }


def test_runs_and_tables_that_are_gone_are_gone_there_too_and_other_files_stay(results, tmp_path):
    out = tmp_path / "out"
    add_run(results, "mnist")
    (results / "tables" / "table4.md").touch()
    assert publish(results, out) == 0
    (out / "figure5.png").touch()
    (results / "figures" / "figure5.png").unlink()
    (results / "mnist" / "metrics.json").unlink()
    (results / "tables" / "table4.md").unlink()
    assert publish(results, out) == 0
    assert not {file for file in files(out) if "mnist/" in file or "mnist.json" in file or "table4" in file}
    assert "figures/figure5.png" not in files(out)
    assert {"figure5.png", "mnist_vae/metrics.json"} <= files(out)


def test_the_sampling_cost_goes_with_its_measurement(results, tmp_path):
    names = ("sampling_cost.json", "tables/sampling_cost.md")
    for name in names:
        (results / name).write_text(name)
    assert publish(results, tmp_path / "out") == 0
    assert all((tmp_path / "out" / name).read_text() == name for name in names)
    for name in names:
        (results / name).unlink()
    assert publish(results, tmp_path / "out") == 0
    assert not any("sampling_cost" in file for file in files(tmp_path / "out"))


def add_measurement(results: Path, run: str, **changes) -> Path:
    """A measurement of the objective's variance in the folder of a run, as of the present settings."""
    settings = Catalogue(CONFIG).settings(run, "test")
    origin = {"config_hash": settings.fingerprint("variance"), "seed": settings.seed, **changes}
    provenance = make_metrics().provenance.model_copy(update=origin)
    file = results / run / "variance.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_section(file, make_study(settings.cell or settings.name, scale="test", provenance=provenance))
    return file


@pytest.mark.parametrize("run", ["mnist", f"ablation/{CELL}", f"ablation/{CELL}/seed-3"])
def test_what_was_measured_for_figures_goes_with_them(run, results, tmp_path, capsys):
    out, measured = tmp_path / "out", add_measurement(results, run)
    assert publish(results, out) == 0
    assert (out / run / "variance.json").read_bytes() == measured.read_bytes()
    assert "1 for figures" in capsys.readouterr().out
    add_measurement(results, run, config_hash="feedfacecafe")
    assert publish(results, out) == 0
    assert f"{run}/variance.json" in capsys.readouterr().out
    assert not (out / run / "variance.json").exists()
    measured.write_text("{}")
    assert publish(results, out) == 2
    assert f"{run}/variance.json" in capsys.readouterr().err


def test_training_curves_are_figures_too(results, tmp_path):
    curves, out = Path("figures", "curves", "mnist.png"), tmp_path / "out"
    (results / curves).parent.mkdir()
    (results / curves).write_bytes(b"curves")
    assert publish(results, out) == 0
    assert (out / curves).read_bytes() == b"curves"
    (results / curves).unlink()
    assert publish(results, out) == 0
    assert not (out / curves).exists()


def test_metrics_of_other_settings_are_refused_in_a_table_and_left_out_elsewhere(results, tmp_path, capsys):
    out = tmp_path / "out"
    add_run(results, "omniglot", provenance__config_hash="feedfacecafe")
    assert publish(results, out) == 0, "Table 4 is not among the tables"
    assert "omniglot" in capsys.readouterr().out
    assert not (out / "omniglot").exists()
    (results / "tables" / "table4.md").touch()
    before = files(out)
    assert publish(results, out) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "omniglot/metrics.json" in told
    assert files(out) == before


def test_a_run_without_an_experiment_file_is_left_out(results, tmp_path, capsys):
    add_run(results, "omniglot", experiment="forgotten")
    assert publish(results, tmp_path / "out") == 0
    assert "omniglot" in capsys.readouterr().out


def test_results_without_tables_are_refused(tmp_path, capsys):
    assert publish(tmp_path / "absent", tmp_path / "out") == 2
    assert "all_tables" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_scale_with_some_cells_is_published_as_far_as_it_makes_tables(tmp_path, capsys):
    config, out = Path(shutil.copytree(CONFIG, tmp_path / "config")), tmp_path / "out"
    keys = "tables: [6]\ncells: [vpsde-un-*]\n"
    (config / "scales" / "part.yaml").write_text(keys + (CONFIG / "scales" / "test.yaml").read_text())
    results = tmp_path / "results" / "part"
    add_run(results, f"ablation/{CELL}", scale="part")
    add_run(results, "ablation/geometric-re-is-ll", scale="part", provenance__config_hash="feedfacecafe")
    (results / "tables").mkdir()
    for table in ("table6.md", "table5.md", "extra_ablation.md"):
        (results / "tables" / table).touch()
    call = ["publish", str(results), "--config-dir", str(config), "--out", str(out)]
    assert main(call) == 0
    assert files(out) == {
        "tables/table6.md",
        f"ablation/{CELL}/metrics.json",
        f"numbers/ablation/{CELL}.json",
    }
    told = capsys.readouterr().out
    assert "left out, no table that the scale part makes" in told and "table5.md" in told and "extra" in told
    assert "left out, made with other settings" in told and "geometric-re-is-ll" in told
    add_run(results, "ablation/vpsde-un-is-ll", scale="part", provenance__config_hash="feedfacecafe")
    assert main(call) == 2, "a cell that the table shows"
    assert "vpsde-un-is-ll/metrics.json" in capsys.readouterr().err
