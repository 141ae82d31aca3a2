"""The workflow's plan for the figures: what each needs, and that any run's curves can be asked for."""

from __future__ import annotations

import pytest

pytest.importorskip("snakemake", reason="the workflow needs snakemake (pip install 'lsgm[workflow]')")

from workflow.test_plan import jobs


def test_all_figures():
    count = jobs("all_figures", "--config", "scale=test", "--forceall")
    assert {name: count[name] for name in ("figure3", "figure4", "figure5", "figure_samplers", "figure_variance")} == {
        "figure3": 1,
        "figure4": 1,
        "figure5": 1,
        "figure_samplers": 1,
        "figure_variance": 1,
    }
    assert count["figure_curves"] == 10, "the rows of ours in Tables 2 to 5, not the cells of Table 6"
    assert (count["tolerance"], count["samplers"], count["variance"]) == (2, 2, 2)
    assert "evaluate" not in count, "tables are another target"


def test_the_demo_sweeps_one_run():
    assert jobs("results/demo/figures/figure4.pdf", "--forceall")["tolerance"] == 1


def test_curves_of_a_cell_need_only_its_training():
    count = jobs("results/paper/figures/curves/ablation/vpsde-un-is-rew.pdf", "--forceall")
    assert count == {"prepare": 1, "pretrain": 1, "train": 1, "figure_curves": 1}


def test_figure_3_needs_nothing():
    assert jobs("results/paper/figures/figure3.png", "--forceall") == {"figure3": 1}
