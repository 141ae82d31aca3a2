"""Tables 2 to 5: the right number in the right column, and never a stand-in's in the column of the real data."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from fake_metrics import STAND_IN, make_metrics, make_vae

from lsgm.config import ConfigError
from lsgm.reporting import build_table, write_table

HERE = Path()
PATCHES = "ours on photo_patches 8x8 & more (stand-in)"
FRECHET = "Fréchet distance, random-convolution features"
NATS = {"nelbo__unit": "nats", "data__name": "digits", "data__title": "digits 8x8"}
STAND_IN_ALL = {key: value for key, value in STAND_IN.items() if key.split("__")[0] not in ("nelbo", "frechet")}


@pytest.fixture
def build(config, store):
    def make(number, *runs, **paths):
        files = {run.experiment: [store(run)] for run in runs} | {name: [path] for name, path in paths.items()}
        return build_table(number, config / "paper" / f"table{number}.yaml", config / "ablation.csv", files)

    return make


def printed(table, method):
    rows = table.display[table.display[("", "method")].str.startswith(method)]
    assert len(rows) == 1
    return rows.iloc[0]


def parsed(table):
    return pd.read_csv(io.StringIO(table.csv)).set_index("method")


def test_papers_data_at_the_papers_scale_is_ours(build):
    table = build(2, make_metrics("cifar10_balanced"), make_vae("cifar10_vae1"))
    row = printed(table, "LSGM (balanced)")
    assert row["paper", "NLL (bits/dim)"] == "≤ 2.95"
    assert row["paper", "FID"] == "2.17"
    assert row["ours", "NLL (bits/dim)"] == "≤ 3.012 ± 0.004"
    assert row["ours", "FID"] == "2.35"
    assert row["", "note"] == "1"
    assert printed(table, "VAE Backbone")["ours", "NLL (bits/dim)"] == "2.99 ± 0.01"
    other = printed(table, "LSGM (NLL)")
    assert (other["ours", "NLL (bits/dim)"], other["ours", "FID"], other["", "note"]) == ("-", "-", "")
    assert {label[0] for label in table.display.columns} == {"", "paper", "ours"}
    assert "stand-in" not in table.markdown(HERE).lower()


def test_csv_parses_back_and_traces_every_number(build):
    data = parsed(build(2, make_metrics("cifar10_balanced"), make_vae("cifar10_vae1", **STAND_IN)))
    assert len(data) == 26
    assert data.loc["LSGM (balanced)", "ours: NLL (bits/dim)"] == 3.0123
    assert data.loc["LSGM (balanced)", "ours: NLL (bits/dim), standard error"] == 0.0042
    assert data.loc["LSGM (balanced)", "ours: NLL (bits/dim), bound"] == "<="
    assert data.loc["LSGM (balanced)", "paper: FID"] == 2.17
    assert data.loc["VAE Backbone", f"{PATCHES}: NLL (bits/dim)"] == 2.9876
    assert pd.isna(data.loc["VAE Backbone", f"{PATCHES}: NLL (bits/dim), bound"])
    assert data.loc["VAE Backbone", "our_data"] == "photo_patches 8x8 & more"
    assert data.loc["VAE Backbone", "our_scaled_down"] == "a VAE of 2 groups, 3 epochs"
    assert data.loc["VAE Backbone", "our_unit"] == "bits/dim"
    assert data.loc["VAE Backbone", "our_metrics_file"] == "results/demo/cifar10_vae1/metrics.json"
    assert data.loc["VDVAE", "paper: NLL (bits/dim)"] == 2.87
    assert data.loc[["VDVAE", "NCSN"], [name for name in data if name.startswith("our")]].isna().all(axis=None)


def test_a_stand_in_never_stands_in_the_column_of_the_real_data(build):
    table = build(2, make_metrics("cifar10_balanced"), make_metrics("cifar10_best_nll", **STAND_IN))
    stand_in = printed(table, "LSGM (NLL)")
    assert (stand_in["ours", "NLL (bits/dim)"], stand_in["ours", "FID"]) == ("-", "-")
    assert stand_in[PATCHES, "NLL (bits/dim)"] == "≤ 3.012 ± 0.004"
    assert stand_in[PATCHES, FRECHET] == "2.35"
    assert (PATCHES, "FID") not in table.display.columns
    real = printed(table, "LSGM (balanced)")
    assert (real[PATCHES, "NLL (bits/dim)"], real[PATCHES, FRECHET]) == ("-", "-")
    data = parsed(table)
    assert data.loc["LSGM (NLL)", [name for name in data if name.startswith("ours: ")]].isna().all()
    for text in (table.markdown(HERE), table.latex):
        assert "must not be compared" in text
        assert "a VAE of 2 groups, 3 epochs" in text
    assert "on stand-in data" in table.title


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"scaled_down": "half the epochs"}, ("ours, scaled down", "NLL (bits/dim)")),
        ({"nelbo__num_images": 500}, ("ours", "NLL (bits/dim), 500 of 10,000 test images, drawn")),
        ({"frechet__num_samples": 5000}, ("ours", "FID (5,000 samples)")),
        ({"frechet__protocol": "clean-fid: 8-bit images"}, ("ours", "FID (clean-fid resize)")),
        ({"frechet__name": FRECHET}, ("ours", FRECHET)),
    ],
)
def test_another_measurement_has_its_own_column(build, changes, column):
    table = build(2, make_metrics("cifar10_balanced", **changes), make_metrics("cifar10_best_nll"))
    plain = "FID" if "FID" in column[1] or column[1] == FRECHET else "NLL (bits/dim)"
    assert printed(table, "LSGM (balanced)")["ours", plain] == "-"
    assert printed(table, "LSGM (balanced)")[column] != "-"
    assert printed(table, "LSGM (NLL)")["ours", plain] != "-"
    assert printed(table, "LSGM (NLL)")[column] == "-"


def test_binary_tables_show_nelbo_bound_and_a_row_that_the_paper_lacks(build):
    nll = {"value": 80.5, "stderr": 0.31, "unit": "nats", "num_images": 10_000, "num_iw_samples": 1000}
    real = {"data__name": "mnist", "data__title": "MNIST", "nelbo__unit": "nats", "nelbo__stderr": 0.31}
    lsgm = make_metrics("mnist", nelbo__value=78.9, **real)
    table = build(5, lsgm, make_vae("mnist_vae", nll=nll, nelbo__value=81.25, **real))
    row = table.display.iloc[0]
    assert (row["paper", "NELBO (nats)"], row["paper", "NLL (nats)"]) == ("78.47", "≤ 78.47")
    assert (row["ours", "NELBO (nats)"], row["ours", "NLL (nats)"]) == ("78.90 ± 0.31", "≤ 78.90 ± 0.31")
    vae = printed(table, "VAE Backbone (not in the paper)")
    assert (vae["paper", "NELBO (nats)"], vae["paper", "NLL (nats)"]) == ("-", "-")
    assert (vae["ours", "NELBO (nats)"], vae["ours", "NLL (nats)"]) == ("81.25 ± 0.31", "80.50 ± 0.31")
    assert "FID" not in table.markdown(HERE)


def test_vae_without_estimate_shows_its_bound(build):
    table = build(2, make_vae("cifar10_vae1", nll=None))
    assert printed(table, "VAE Backbone")["ours", "NLL (bits/dim)"] == "≤ 3.012 ± 0.004"


def test_diverged_run_is_a_result(build):
    diverged = make_metrics(
        "cifar10_best_fid", status="diverged", reason="loss not finite", nelbo=None, frechet=None, **STAND_IN_ALL
    )
    table = build(2, diverged, make_metrics("cifar10_best_nll", **STAND_IN))
    row = printed(table, "LSGM (FID)")
    assert (row[PATCHES, "NLL (bits/dim)"], row[PATCHES, FRECHET]) == ("NaN", "NaN")
    assert "diverged: loss not finite" in table.run_notes[0]
    data = pd.read_csv(io.StringIO(table.csv), keep_default_na=False).set_index("method")
    assert data.loc["LSGM (FID)", f"{PATCHES}: {FRECHET}"] == "NaN"
    assert data.loc["LSGM (FID)", ["our_status", "our_reason"]].tolist() == ["diverged", "loss not finite"]


def test_what_a_failed_run_could_measure_is_shown(build):
    table = build(
        2, make_metrics("cifar10_best_fid", status="diverged", reason="the ODE cannot be solved", frechet=None)
    )
    row = printed(table, "LSGM (FID)")
    assert (row["ours", "NLL (bits/dim)"], row["ours", "FID"]) == ("≤ 3.012 ± 0.004", "NaN")
    assert "the ODE cannot be solved" in table.run_notes[0]


def test_notes_name_sources_and_differences(build):
    runs = (
        make_metrics("cifar10_balanced", provenance__commit="aaaaaaa", provenance__seed=7),
        make_metrics(
            "cifar10_best_nll", **{**STAND_IN, "provenance__dirty": True, "provenance__config_hash": "feedfacecafe"}
        ),
    )
    notes = build(2, *runs).markdown(HERE).replace("\\", "")
    for text in (
        "different commits: aaaaaaa, c0ffee0",
        "uncommitted changes in the code: cifar10_best_nll",
        "different scales: demo, paper",
        "seed 7",
        "config hash feedfacecafe",
        "features random_conv-v1",
        "400 samples against 1,000 training images",
        "NELBO on 100",
        "metrics file [results/demo/cifar10_best_nll/metrics.json](results/demo/cifar10_best_nll/metrics.json)",
    ):
        assert text in notes, text


@pytest.mark.parametrize("dirty, told", [(True, "yes"), (False, "no")])
def test_csv_tells_numbers_made_with_uncommitted_changes(build, dirty, told):
    table = build(2, make_metrics("cifar10_balanced", provenance__dirty=dirty))
    assert parsed(table).loc["LSGM (balanced)", "our_uncommitted_changes"] == told


def test_what_all_runs_share_is_said_once(build):
    table = build(2, make_metrics("cifar10_balanced"), make_metrics("cifar10_best_nll"))
    assert table.markdown(HERE).count("commit c0ffee0") == 1
    assert table.markdown(HERE).count("weights SHA-256") == 1
    assert [note.split(";")[0] for note in table.run_notes] == ["run cifar10_best_nll", "run cifar10_balanced"]


def test_errors(build, store, tmp_path):
    missing = tmp_path / "results" / "none.json"
    with pytest.raises(ConfigError, match="no such file"):
        build(2, cifar10_balanced=missing)
    with pytest.raises(ConfigError, match="no row for 'mnist'"):
        build(2, make_metrics("mnist"))
    with pytest.raises(ConfigError, match="'cifar10_best_nll', not of 'cifar10_balanced'"):
        build(2, cifar10_balanced=store(make_metrics("cifar10_best_nll")))
    with pytest.raises(ConfigError, match="in nats, table 2 is in bits/dim"):
        build(2, make_metrics("cifar10_balanced", nelbo__unit="nats"))
    with pytest.raises(ConfigError, match="kind is 'vae'"):
        build(2, make_vae("cifar10_balanced"))


@pytest.mark.parametrize("number", [2, 3, 4, 5, 6])
def test_without_runs_the_papers_numbers_remain(build, number):
    table = build(number)
    assert "No run of ours" in table.markdown(HERE)
    assert "ours:" not in table.csv
    assert "≤" in table.markdown(HERE) or number == 6


def test_files_are_the_same_each_time(build, tmp_path):
    runs = make_metrics("cifar10_balanced"), make_vae("cifar10_vae1", **STAND_IN)
    first = write_table(build(2, *runs), tmp_path / "a" / "table2")
    second = write_table(build(2, *reversed(runs)), tmp_path / "b" / "table2")
    assert [path.name for path in first] == ["table2.csv", "table2.md", "table2.tex"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(path.name for path in first)
    assert str(tmp_path) not in "".join(path.read_text() for path in first)
