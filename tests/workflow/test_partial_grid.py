"""A scale that makes two tables and one row of Table 6: what the workflow asks for, and what it refuses."""

from __future__ import annotations

import re
import shutil

import pytest

pytest.importorskip("snakemake", reason="the workflow needs snakemake (pip install 'lsgm[workflow]')")

from workflow.small_checkout import PARTS, ROOT, call

from lsgm.config.catalogue import Catalogue
from lsgm.config.jobs import ALL, make_plan
from lsgm.config.plan import read_resources

VPSDE_CELLS = 10
COPIED = ("Snakefile", "config", "workflow")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with this workflow and one scale more."""
    folder = tmp_path_factory.mktemp("grid") / "place"
    folder.mkdir()
    for name in PARTS:
        if name not in COPIED and (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "Snakefile", folder)
    for name in COPIED[1:]:
        shutil.copytree(ROOT / name, folder / name)
    keys = "tables: [5, 6]\ncells: [vpsde-*]\n"
    (folder / "config/scales/part.yaml").write_text(keys + (ROOT / "config/scales/test.yaml").read_text())
    return folder


def dry_run(place, *words: str, fails: bool = False) -> str:
    return call(place, "snakemake", "--dry-run", "--nolock", "--forceall", *words, fails=fails)


def count(printed: str) -> dict[str, int]:
    rows = re.findall(r"^(\w+) +(\d+)$", printed, re.MULTILINE)
    return {name: int(number) for name, number in rows if name != "total"}


def test_all_tables_asks_for_these_tables_and_cells(place):
    printed = dry_run(place, "all_tables", "--config", "scale=part")
    jobs = count(printed)
    assert (jobs["table"], jobs["train"], jobs["pretrain"]) == (2, VPSDE_CELLS + 1, 2)
    asked = set(re.findall(r"results/part/([^\s,]+)/metrics\.json", printed))
    assert {name for name in asked if "/" not in name} == {"mnist", "mnist_vae"}
    assert len([name for name in asked if name.startswith("ablation/vpsde-")]) == VPSDE_CELLS
    assert not [name for name in asked if "geometric" in name]
    planned = make_plan(Catalogue(place / "config"), "part", read_resources(place / "config/scales/part.yaml"), None, 1)
    for stage in ("prepare", "pretrain", "train", "sample", "evaluate"):
        assert jobs[stage] == sum(job.stage == stage for job in planned.tables[ALL]), stage


def test_without_a_target_nothing_else_is_trained(place):
    jobs = count(dry_run(place, "--config", "scale=part"))
    assert jobs["train"] == VPSDE_CELLS + 1
    assert "extra_ablation_table" not in jobs
    assert jobs["figure3"] == jobs["figure5"] == 1, "Figure 5 shows MNIST"
    assert "figure4" not in jobs and "figure_samplers" not in jobs, "their runs stand in no table of this scale"
    assert jobs["figure_curves"] == 2, "mnist and its VAE"
    assert jobs["runs"] == 1


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("results/part/tables/table2.md", ["part.yaml: tables leaves out 2", "there are: 5, 6"]),
        ("results/part/figures/figure4.png", ["scale part makes no run of figure4; there are: figure3, figure5"]),
    ],
)
def test_what_the_scale_leaves_out_is_refused_with_one_line(place, target, words):
    printed = dry_run(place, target, "--config", "scale=part", fails=True)
    errors = [line for line in printed.splitlines() if "error" in line.lower()]
    assert len(errors) == 1 and errors[0].startswith("lsgm: error: ")
    assert all(word in errors[0] for word in words)
    assert "Traceback" not in printed


def test_a_cell_that_is_left_out_can_be_asked_for_and_other_scales_have_the_whole_grid(place):
    cell, whole = "results/part/ablation/geometric-re-is-ll/metrics.json", "results/test/tables/table6.md"
    jobs = count(dry_run(place, cell, whole, "--config", "scale=part"))
    assert jobs["train"] == jobs["evaluate"] == 1 + 17
