"""A scale that makes some tables or some cells only: its keys, the runs of its tables, its plan."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lsgm.cli.main import main
from lsgm.config import ConfigError
from lsgm.config.catalogue import Catalogue
from lsgm.config.jobs import ALL, EXTRA, make_plan
from lsgm.config.load import load_experiment
from lsgm.config.plan import read_resources
from lsgm.config.scope import ALL_TABLES, read_scope

CONFIG = Path(__file__).parents[2] / "config"
CELLS = ("vpsde-ll-uniform-rew", "vpsde-ll-is-rew", "geometric-re-is-ll")


@pytest.fixture
def folder(tmp_path):
    """A copy of the project's settings."""
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


def add_scale(folder: Path, keys: str) -> Path:
    """The scale `part`: that of the tests with further keys."""
    file = folder / "scales" / "part.yaml"
    file.write_text(f"{keys}\n{(CONFIG / 'scales' / 'test.yaml').read_text()}")
    return file


def test_the_scales_that_ship_with_neither_key_make_everything():
    scales = [file for file in (CONFIG / "scales").glob("*.yaml") if not {"tables:", "cells:"} & set(words(file))]
    assert {"test", "demo", "paper", "official"} <= {scale.stem for scale in scales}
    catalogue = Catalogue(CONFIG)
    for scale in scales:
        assert read_scope(scale).made == ALL_TABLES == (2, 3, 4, 5, 6, "extra")
        assert len(catalogue.runs_of_table(6, scale.stem)) == 17


def words(file: Path) -> list[str]:
    return [line.split()[0] for line in file.read_text().splitlines() if line and line[0].isalpha()]


def test_table_6_has_the_cells_that_the_scale_names_in_the_grids_order(folder):
    add_scale(folder, "cells: [vpsde-ll-*, geometric-re-is-ll]")
    catalogue = Catalogue(folder)
    expected = ["ablation/geometric-re-is-ll", "ablation/vpsde-ll-uniform-rew", "ablation/vpsde-ll-is-rew"]
    assert catalogue.runs_of_table(6, "part") == expected
    assert len(catalogue.runs_of_table(6, "test")) == 17, "another scale"
    assert catalogue.runs_of_table(2, "part") == catalogue.runs_of_table(2, "test"), "another table"


def test_a_table_that_the_scale_leaves_out_is_refused(folder):
    file = add_scale(folder, "tables: [6, 5]")
    catalogue = Catalogue(folder)
    assert catalogue.scope("part").made == (5, 6), "in the order of the paper"
    assert catalogue.runs_of_table(5, "part") == catalogue.runs_of_table(5, "test")
    for table in (2, "extra"):
        with pytest.raises(ConfigError, match=r"part.yaml: tables leaves out .*there are: 5, 6") as error:
            catalogue.runs_of_table(table, "part")
        assert repr(table) in str(error.value) and str(file) in str(error.value)


def test_runs_of_tables_that_are_not_made_are_left_out(folder):
    add_scale(folder, "tables: [5, 6]\ncells: [vpsde-*]")
    left_out = Catalogue(folder).left_out("part")
    assert {"cifar10_balanced", "omniglot", "ablation/geometric-re-is-ll"} <= left_out
    assert "ablation/vpsde-un-is-rew+frozen" in left_out, "of the table of extra axes"
    assert left_out.isdisjoint({"mnist", "mnist_vae", "ablation/vpsde-un-is-rew"})
    assert not left_out & {"cifar10_vae2", "celebahq256_qualitative"}, "they stand in no table"
    (folder / "paper" / "table2.yaml").unlink()
    assert Catalogue(folder).left_out("test") == set(), "no table is read at a scale that makes everything"


def test_neither_key_changes_a_runs_settings(folder):
    file = add_scale(folder, "tables: [5]\ncells: [vpsde-*]")
    mnist = folder / "experiments" / "mnist.yaml"
    assert load_experiment(mnist, file).fingerprint("evaluate") == Catalogue(folder).fingerprint(
        "mnist", "test", "evaluate"
    )
    assert Catalogue(folder).settings("cifar10_balanced", "part").scale == "part", "any run can be asked for by name"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("tables: [7]", r"tables.0 = 7: .*2, 3, 4, 5, 6 or 'extra'"),
        ("tables: [five]", r"tables.0 = 'five'"),
        ("tables: []", r"tables = \[\]"),
        ("tables: 5", r"tables = 5"),
        ("cells: []", r"cells = \[\]"),
        ("cells: vpsde-un-is-rew", r"cells = 'vpsde-un-is-rew'"),
        ("cells: [vpsde-*, vp-*]", r"cells has 'vp-\*', which is no cell; there are: .*vpsde-un-is-rew"),
        ("cells: [geometric-un-is-rew]", r"cells has 'geometric-un-is-rew', which is no cell"),
    ],
)
def test_a_mistake_is_one_line_with_the_file(folder, keys, message):
    add_scale(folder, keys)
    with pytest.raises(ConfigError, match=message) as error:
        Catalogue(folder).runs_of_table(6, "part")
    assert "part.yaml" in str(error.value) and "\n" not in str(error.value)


def test_the_plan_has_the_jobs_of_these_tables_and_cells(folder, capsys):
    file = add_scale(folder, "tables: [5, 6]\ncells: [vpsde-*]")
    plan = make_plan(Catalogue(folder), "part", read_resources(file), (1, 2), True)
    assert list(plan.tables) == ["table 5", "table 6", ALL]
    trained = {job.name for job in plan.tables["table 6"] if job.stage == "train"}
    assert len(trained) == 10 * 2 and all(name.startswith("ablation/vpsde-") for name in trained)
    assert main(["plan", "--scale", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "table 6" in printed and "table 2" not in printed and EXTRA not in printed


def test_runs_of_a_figure_are_the_scales(folder):
    add_scale(folder, "figures: {variance: [mnist, ablation/vpsde-ll-is-rew], figure4: [nobody]}")
    catalogue = Catalogue(folder)
    assert catalogue.shown("variance", "part") == ("mnist", "ablation/vpsde-ll-is-rew")
    assert catalogue.shown("samplers", "part") is None
    with pytest.raises(ConfigError, match="nobody"):
        catalogue.shown("figure4", "part")
    add_scale(folder, "figures: {figure7: [mnist]}")
    with pytest.raises(ConfigError, match=r"part\.yaml.*figure7"):
        Catalogue(folder).shown("variance", "part")
