"""The figure of the samplers: it shows the numbers, leaves gaps where there are none, and is legible."""

from __future__ import annotations

import numpy as np
import pytest
from reporting.figure_cases import check_legible, make_samplers

from lsgm.reporting.figures.samplers import draw_samplers, write_samplers
from lsgm.reporting.figures.style import paper_style


def without_distance():
    """A study of binary images, of which the paper reports no FID."""
    study = make_samplers("mnist")
    return study.model_copy(update={"points": [p.model_copy(update={"frechet": None}) for p in study.points]})


FIGURES = {
    "one run": lambda: [make_samplers()],
    "two runs": lambda: [make_samplers(), make_samplers("cifar10_best_nll", sde="geometric")],
    "no distance": lambda: [make_samplers(), without_distance()],
    "nothing": lambda: [make_samplers(points=[], status="diverged", reason="diverged", reference_nfe=None)],
}


@pytest.mark.parametrize("name", FIGURES)
def test_legible(name):
    with paper_style():
        check_legible(draw_samplers(FIGURES[name]()))


def test_it_shows_the_numbers_by_evaluations_and_a_gap_where_there_is_none():
    points = list(make_samplers().points)
    failed = {"nfe": None, "latent_error": None, "frechet": None}
    points[0] = points[0].model_copy(update=failed)
    points[4] = points[4].model_copy(update={"frechet": None})
    with paper_style():
        figure = draw_samplers([make_samplers(points=points, status="diverged", reason="ode at 0.1: solver failed")])
    left, right = ({line.get_label(): line.get_xydata() for line in axis.get_lines()} for axis in figure.axes)
    np.testing.assert_allclose(left["adaptive"], [[44, 0.05], [380, 0.004]])
    np.testing.assert_allclose(left["multistep"], [[6, 0.04], [10, 0.02]])
    np.testing.assert_array_equal(right["Heun"], [[6, 8.0], [10, np.nan]])
    text = " ".join(figure._supxlabel.get_text().split())
    for words in ("solver failed", "the ODE at tolerance 1e-07", "100 latents"):
        assert words in text


def test_a_panel_without_distances_says_so_and_has_no_axes():
    with paper_style():
        left, right = draw_samplers([without_distance()]).axes
    assert left.axison and not right.axison and not right.get_lines()
    assert [text.get_text() for text in right.texts] == ["no Fréchet distance measured"]


def test_same_numbers_same_bytes(tmp_path):
    first, second = (write_samplers([make_samplers()], tmp_path / name / "samplers") for name in "ab")
    assert [path.name for path in first] == ["samplers.png", "samplers.pdf"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_no_runs_no_figure():
    with pytest.raises(ValueError, match="at least one"):
        draw_samplers([])
