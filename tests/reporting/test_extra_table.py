"""The table of the axes that the paper does not have: each run beside the changed one."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from fake_metrics import make_metrics

from lsgm.config import ConfigError
from lsgm.config.axes import Axis
from lsgm.reporting import build_extra_table, write_table

CELL = "vpsde-un-is-rew"
RUN = f"ablation/{CELL}"
FAILED = {"status": "diverged", "reason": "loss is nan", "nelbo": None, "frechet": None}
AXES = {
    "frozen": Axis(title="VAE", base="joint", variant="frozen", settings={"train": {"train_vae": False}}, runs=(RUN,)),
    "other": Axis(title="other", base="as it is", variant="x", settings={"train": {"epochs": 2}}, runs=("mnist",)),
}


@pytest.fixture
def build(store):
    def make(*runs, axes=AXES):
        files: dict[str, list[Path]] = {}
        for run in runs:
            files.setdefault(run.run, []).append(store(run))
        return build_extra_table(axes, files)

    return make


def pair(**changes):
    """The cell as it is, and changed."""
    return make_metrics("ablation", cell=CELL), make_metrics("ablation", cell=CELL, variant="frozen", **changes)


@pytest.fixture
def one():
    return {"frozen": AXES["frozen"]}


def rows(table):
    return [tuple(row) for row in table.display.to_numpy().tolist()]


def test_base_and_variant_stand_side_by_side(build, one):
    table = build(*pair(nelbo__value=3.5, frechet__value=9.0), axes=one)
    assert rows(table) == [
        ("VAE", f"{RUN} (1, 2)", "NELBO (bits/dim)", "joint", "3.012 ± 0.004", "frozen", "3.500 ± 0.004"),
        ("", "", "FID", "joint", "2.35", "frozen", "9.00"),
    ]
    assert "paper" not in " ".join(map(str, table.display.columns))
    assert "paper" not in table.csv.splitlines()[0]


def test_units_and_axes_stand_below_each_other(build):
    nats = {"nelbo__unit": "nats", "frechet": None}
    runs = (*pair(), make_metrics("mnist", **nats), make_metrics("mnist", variant="other", **nats))
    found = rows(build(*runs))
    assert [row[:3] for row in found] == [
        ("VAE", f"{RUN} (1, 2)", "NELBO (bits/dim)"),
        ("", "", "FID"),
        ("other", "mnist (3, 4)", "NELBO (nats)"),
        ("", "", "Fréchet distance"),
    ]


def test_a_run_measured_in_another_way_has_a_row_of_its_own(build, one):
    found = rows(build(*pair(frechet__num_samples=500), axes=one))
    assert [(row[2], row[4], row[6]) for row in found] == [
        ("NELBO (bits/dim)", "3.012 ± 0.004", "3.012 ± 0.004"),
        ("FID", "2.35", "-"),
        ("FID (500 samples)", "-", "2.35"),
    ]


def test_a_diverged_variant_is_a_result(build, one):
    table = build(*pair(**FAILED), axes=one)
    assert [row[4:] for row in rows(table)] == [("3.012 ± 0.004", "frozen", "NaN"), ("2.35", "frozen", "NaN")]
    assert "diverged: loss is nan" in table.run_notes[1]


def test_seeds(build, one):
    runs = [pair(provenance__seed=seed)[1] for seed in (1, 2)] + [
        make_metrics("ablation", cell=CELL, provenance__seed=seed, nelbo__value=seed) for seed in (1, 2)
    ]
    table = build(*runs, axes=one)
    first = rows(table)[0]
    assert (first[2], first[4]) == ("NELBO (bits/dim), mean of 2 seeds", "1.50 ± 0.71")
    data = pd.read_csv(io.StringIO(table.csv), keep_default_na=False)
    assert data["setting"].tolist() == ["joint", "frozen"]
    assert data["our_seed"].tolist() == ["1; 2", "1; 2"]
    assert data["NELBO (bits/dim), mean of 2 seeds, each seed"][0] == "1.0; 2.0"


def test_files(build, one, tmp_path):
    files = write_table(build(*pair(), axes=one), tmp_path / "tables" / "extra_ablation")
    assert [file.name for file in files] == ["extra_ablation.csv", "extra_ablation.md", "extra_ablation.tex"]
    text = files[1].read_text()
    assert text.startswith("**Ablation along axes that the paper does not have")
    assert f"](../results/paper/{CELL}+frozen/metrics.json)" in text
    assert files[2].read_text().count(r"\begin{tabular}") >= 1


def test_without_axes_the_table_is_empty(build):
    table = build(axes={})
    assert rows(table) == []
    assert "No axis" in table.markdown(Path()) and "No axis" in table.latex


def test_errors(build, store, one):
    base, changed = pair()
    with pytest.raises(ConfigError, match=r"the run 'ablation/vpsde-un-is-rew\+frozen' is missing; it shows: "):
        build(base, axes=one)
    with pytest.raises(ConfigError, match="the run 'mnist' is in no axis"):
        build(base, changed, make_metrics("mnist"), axes=one)
    with pytest.raises(ConfigError, match=r"holds the metrics of 'ablation/vpsde-un-is-rew', not of "):
        build_extra_table(one, {RUN: [store(base)], f"{RUN}+frozen": [store(base)]})
