"""config/paper holds the paper's numbers, each as the specification has it."""

from __future__ import annotations

import pytest
import yaml

from lsgm.config import ConfigError, read_cells
from lsgm.reporting.paper.tables import read_paper_table

SDES = {"Geometric VPSDE": "geometric", "VPSDE": "vpsde"}


@pytest.fixture(scope="module")
def specification(reference):
    file = reference.parent / "spec" / "paper_tables.yaml"
    if not file.is_file():
        pytest.skip("no specification beside the reference vectors")
    return yaml.safe_load(file.read_text())


def found(number):
    return None if number is None else (number.value, number.bound, number.mark)


def expected(entry):
    if entry is None:
        return None
    value = "NaN" if entry["v"] != entry["v"] else entry["v"]
    return value, entry.get("bound"), entry["s"].replace("seed", "text").replace("xref", "other")


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_every_number_of_tables_2_to_5(config, specification, number):
    table = read_paper_table(config / "paper" / f"table{number}.yaml", number)
    rows = [row for row in table.rows if row.in_paper]
    wanted = specification[f"table{number}"]["rows"]
    assert [(row.category, row.method, row.ref) for row in rows] == [
        (row["category"].replace("Ours", "LSGM"), row["method"], row["ref"]) for row in wanted
    ]
    for row, want in zip(rows, wanted, strict=True):
        for column in ("nll", "nelbo", "fid"):
            assert found(row.number(column)) == expected(want.get(column)), (row.method, column)


def test_every_number_of_table_6(config, specification):
    table = read_paper_table(config / "paper" / "table6.yaml", 6)
    for cell, want in zip(table.cells, specification["table6"]["cells"], strict=True):
        sde, weighting, time, q_time = cell.cell.split("-")
        assert (SDES[want["sde"]], want["sgm_weighting"]) == (sde, f"w_{weighting}")
        assert want["t_sgm"] == ("U[0,1]" if time == "uniform" else f"r_{weighting}")
        assert want["t_q"] == {"rew": "rew.", "ll": "r_ll"}[q_time]
        assert (found(cell.fid), found(cell.nelbo)) == (expected(want["fid"]), expected(want["nelbo_bpd"]))


def test_the_grid_of_cells_is_that_of_table_6(config):
    cells = read_cells(config / "ablation.csv")
    table = read_paper_table(config / "paper" / "table6.yaml", 6)
    assert list(cells) == list(table.runs)
    assert len(cells) == 20
    for entry in table.cells:
        assert bool(cells[entry.cell].not_applicable) == (entry.fid.value == "n/a")


@pytest.mark.parametrize(
    ("number", "runs"),
    [
        (2, {"cifar10_best_fid", "cifar10_best_nll", "cifar10_balanced", "cifar10_vae1"}),
        (3, {"celebahq256", "celebahq256_vae"}),
        (4, {"omniglot", "omniglot_vae"}),
        (5, {"mnist", "mnist_vae"}),
    ],
)
def test_runs_of_each_table(config, number, runs):
    table = read_paper_table(config / "paper" / f"table{number}.yaml", number)
    assert set(table.runs) == runs
    assert all(row.kind == ("vae" if "vae" in row.run else "lsgm") for row in table.rows if row.run)


def test_mistakes(config, tmp_path):
    with pytest.raises(ConfigError, match="holds table 3, not table 2"):
        read_paper_table(config / "paper" / "table3.yaml", 2)
    text = (config / "paper" / "table3.yaml").read_text()
    for change, message in ((("mark: text}", "mark: rumour}"), "rumour"), (("fid: FID", "kid: KID"), "kid")):
        (tmp_path / "table3.yaml").write_text(text.replace(*change))
        with pytest.raises(ConfigError, match=message):
            read_paper_table(tmp_path / "table3.yaml", 3)
