"""Table 6 in the paper's layout, with NaN and n/a told apart and explained."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from fake_metrics import STAND_IN, make_metrics

from lsgm.config import ConfigError, read_cells
from lsgm.reporting import build_table

FAILED = {"nelbo": None, "frechet": None}
SMALL = {key: value for key, value in STAND_IN.items() if key.split("__")[0] not in ("nelbo", "frechet")}


def cell(name, **changes):
    return make_metrics("ablation", cell=name, **changes)


@pytest.fixture
def build(config, store):
    def make(*runs):
        files = {run.cell: [store(run)] for run in runs}
        return build_table(6, config / "paper" / "table6.yaml", config / "ablation.csv", files)

    return make


def row(table, sde, measure, source):
    display = table.display
    chosen = display[(display.iloc[:, 0] == sde) & (display.iloc[:, 1] == measure) & (display.iloc[:, 2] == source)]
    assert len(chosen) == 1
    return chosen.iloc[0, 3:]


def test_layout_of_the_paper(build):
    table = build()
    assert list(table.display.columns[3:]) == [
        ("w_ll", "U[0,1]", "rew."),
        ("w_ll", "r_ll", "rew."),
        ("w_un", "U[0,1]", "rew."),
        ("w_un", "U[0,1]", "r_ll"),
        ("w_un", "r_un", "rew."),
        ("w_un", "r_un", "r_ll"),
        ("w_re", "U[0,1]", "rew."),
        ("w_re", "U[0,1]", "r_ll"),
        ("w_re", "r_re", "rew."),
        ("w_re", "r_re", "r_ll"),
    ]
    assert " ".join(row(table, "Geometric VPSDE", "FID", "paper")) == "10.18 n/a NaN NaN n/a n/a 22.21 NaN 7.29 7.18"
    assert " ".join(row(table, "VPSDE", "FID", "paper")) == "6.15 8.00 NaN NaN 5.39 5.39 NaN 4.99 15.12 6.19"
    nelbo = row(table, "VPSDE", "NELBO (bits/dim)", "paper")
    assert " ".join(nelbo) == "2.97 2.97 NaN NaN 2.98 2.98 NaN 2.99 3.03 2.99"
    assert len(table.display) == 4


def test_ours_below_the_papers(build):
    table = build(cell("vpsde-re-is-ll"), cell("geometric-ll-uniform-rew", frechet__value=9.5))
    ours = row(table, "VPSDE", "FID", "ours")
    assert ours["w_re", "r_re", "r_ll"] == "2.35"
    assert (ours == "-").sum() == 9
    assert row(table, "VPSDE", "NELBO (bits/dim)", "ours")["w_re", "r_re", "r_ll"] == "3.012 ± 0.004"
    geometric = row(table, "Geometric VPSDE", "FID", "ours").tolist()
    assert geometric == ["9.50", "n/a [a]", "-", "-", "n/a [b]", "n/a [b]", "-", "-", "-", "-"]
    assert "[a] n/a: r_ll of the geometric VPSDE is the uniform distribution" in " ".join(table.notes)
    assert "[b] n/a: r_un is not defined" in " ".join(table.notes)


def test_diverged_cell(build):
    table = build(
        cell("vpsde-un-uniform-rew", status="diverged", reason="loss not finite at step 7", **FAILED),
        cell("vpsde-ll-is-rew"),
    )
    assert row(table, "VPSDE", "FID", "ours")["w_un", "U[0,1]", "rew."] == "NaN [c]"
    assert row(table, "VPSDE", "NELBO (bits/dim)", "ours")["w_un", "U[0,1]", "rew."] == "NaN [c]"
    assert "[c] NaN: loss not finite at step 7" in table.notes


def test_stand_in_rows(build):
    table = build(cell("vpsde-ll-is-rew", **STAND_IN), cell("vpsde-un-is-rew"))
    source = "ours on photo_patches 8x8 & more (stand-in)"
    stand_in = row(table, "VPSDE", "Fréchet distance, random-convolution features", source)
    assert stand_in["w_ll", "r_ll", "rew."] == "2.35"
    assert stand_in["w_un", "r_un", "rew."] == "-"
    assert row(table, "VPSDE", "FID", "ours")["w_ll", "r_ll", "rew."] == "-"


def test_csv_has_one_row_per_cell(build, config):
    table = build(
        cell("vpsde-re-is-ll"),
        cell("vpsde-un-uniform-rew", status="diverged", reason="loss not finite", **FAILED),
    )
    data = pd.read_csv(io.StringIO(table.csv), keep_default_na=False).set_index("cell")
    assert list(data.index) == list(read_cells(config / "ablation.csv"))
    assert data.loc["vpsde-re-is-ll", "ours: FID"] == "2.345"
    assert data.loc["vpsde-re-is-ll", "paper: FID"] == "6.19"
    assert data.loc["vpsde-un-uniform-rew", "ours: FID"] == "NaN"
    assert data.loc["geometric-un-is-ll", "ours: FID"] == "n/a"
    assert data.loc["vpsde-ll-is-rew", "ours: FID"] == ""
    assert data.loc["vpsde-re-is-ll", "our_metrics_file"] == "results/paper/vpsde-re-is-ll/metrics.json"
    assert data.loc["geometric-un-is-ll", "not_applicable"]


def test_errors(build, config, store, tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        build(cell("geometric-un-is-ll"))
    build(cell("geometric-un-is-ll", status="not_applicable", reason="no r_un", **FAILED))
    with pytest.raises(ConfigError, match="no row for 'vpsde'"):
        build(cell("vpsde"))
    with pytest.raises(ConfigError, match="holds the metrics of 'ablation', not of 'ablation/vpsde-re-is-ll'"):
        path = store(make_metrics("ablation"))
        build_table(6, config / "paper" / "table6.yaml", config / "ablation.csv", {"vpsde-re-is-ll": [path]})
    short = tmp_path / "ablation.csv"
    short.write_text("\n".join((config / "ablation.csv").read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(ConfigError, match=r"differ: vpsde-re-is-ll"):
        build_table(6, config / "paper" / "table6.yaml", short, {})
