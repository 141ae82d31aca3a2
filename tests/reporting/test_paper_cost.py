"""config/paper/sampling_cost.yaml holds what the paper says of sampling times, as the specification has it."""

from __future__ import annotations

import pytest
import yaml

from lsgm.reporting.paper.cost import read_paper_cost


@pytest.fixture
def paper(config):
    return read_paper_cost(config / "paper" / "sampling_cost.yaml")


def test_every_number_is_the_specifications(paper, reference):
    file = reference.parent / "spec" / "paper_tables.yaml"
    if not file.is_file():
        pytest.skip("no specification beside the reference vectors")
    figure = yaml.safe_load(file.read_text())["fig4"]
    timing = figure["timing"]
    lsgm, ode, corrected = paper.rows
    assert lsgm.nfe.value == figure["points"][0]["nfe"]["v"] and lsgm.sampler == "ode, tol 0.01"
    assert lsgm.seconds.value == timing["lsgm_seconds"]["v"]
    assert ode.seconds.value == 60 * timing["pixel_sgm_ode_minutes"]["v"]
    assert corrected.seconds.value == 60 * timing["pixel_sgm_pc_minutes"]["v"]
    for row, name in ((ode, "ode"), (corrected, "pc")):
        wanted = timing["pixel_sgm_nfe"][name]
        assert (row.nfe.value, row.nfe.mark) == (wanted["v"], wanted["s"])
        assert paper.ratio(row) == pytest.approx(timing[f"speedup_{name}"]["v"], abs=0.05)
    assert all(row.seconds.mark == "text" for row in paper.rows)


def test_what_is_uncertain_says_so(paper):
    assert [row.nfe.mark for row in paper.rows] == ["other", "memory, uncertain", "memory, uncertain"]
    assert "both uncertain" in " ".join(paper.remarks)
