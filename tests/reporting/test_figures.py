"""The figures: they show the numbers, are legible at their size, and the same numbers give the same bytes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from reporting.figure_cases import check_legible, make_study, make_sweep

from lsgm.cli.figures.figure3 import panel
from lsgm.config import ConfigError
from lsgm.reporting.figures.curves import draw_curves, read_curves
from lsgm.reporting.figures.figure3 import draw_figure3
from lsgm.reporting.figures.figure4 import distance_name, draw_figure4, seconds_per_image, write_figure4
from lsgm.reporting.figures.style import commit_words, paper_style, said_once
from lsgm.reporting.figures.variance import draw_variance, write_variance

GEOMETRIC = {"sde": "geometric", "times": ("uniform", "ll", "re")}
NOTE = "From the settings alone. Dots: medians. Drawn with commit 0123456789 with uncommitted changes."


def line(step, **changes):
    """One line of a curve file of stage 2."""
    return {
        "step": step,
        "epoch": step // 100,
        "loss_vae": 600.0,
        "loss_prior": 17.0 - step / 1000,
        "nelbo": 650.0 - step / 10,
        "reconstruction": 620.0 - step / 10,
        "kl": 30.0,
        "grad_norm_vae": 2000.0,
        "grad_norm_prior": 1.5,
        "kl_groups": [20.0, 10.0],
        "active_channels": [3, 1],
        "kl_coeff": 1.0,
        "lr_vae": 1e-4,
        "lr_prior": 3e-4,
        "skipped": 0,
        "seconds": 1.0,
    } | changes


def curves(tmp_path, *lines):
    path = tmp_path / "curves.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    return read_curves(path)


def stage_1(step):
    left_out = ("loss_prior", "grad_norm_prior", "lr_prior")
    return {key: value for key, value in line(step, kl_coeff=step / 600).items() if key not in left_out}


FIGURES = {
    "figure 3": lambda folder: draw_figure3([panel("vpsde"), panel("geometric")], NOTE),
    "figure 4, one run": lambda folder: draw_figure4([make_sweep()]),
    "figure 4, two runs": lambda folder: draw_figure4([make_sweep("celebahq256"), make_sweep(num_samples=500)]),
    "figure 4, nothing": lambda folder: draw_figure4([make_sweep(points=[], status="diverged", reason="diverged")]),
    "variance": lambda folder: draw_variance([make_study(), make_study("cifar10_best_nll", **GEOMETRIC)]),
    "variance, nothing": lambda folder: draw_variance([make_study(points=[], status="diverged", reason="diverged")]),
    "curves, stage 1": lambda folder: draw_curves(curves(folder, stage_1(100), stage_1(600)), "run", NOTE),
    "curves, stage 2": lambda folder: draw_curves(curves(folder, line(100), line(200), line(9000)), "run", NOTE),
    "curves, long": lambda folder: draw_curves(curves(folder, line(100), line(1_234_567)), "run", NOTE),
    "curves, one line": lambda folder: draw_curves(curves(folder, line(100)), "run", NOTE),
}


@pytest.mark.parametrize("name", FIGURES)
def test_legible(name, tmp_path):
    with paper_style():
        check_legible(FIGURES[name](tmp_path))


def footer_of(figure):
    return " ".join(figure._supxlabel.get_text().split())


def test_figure_3_shows_densities_with_the_papers_medians():
    linear, geometric = panel("vpsde"), panel("geometric")
    medians = {density.times: density.median for density in linear.densities}
    for times, median in {"ll": 0.063, "un": 0.156, "re": 0.259, "uniform": 0.505}.items():
        assert medians[times] == pytest.approx(median, abs=5e-4)
    for density in (*linear.densities, *geometric.densities):
        assert np.trapezoid(density.values, density.grid) == pytest.approx(1, abs=2e-3)
    uniform, r_ll = geometric.densities[:2]
    np.testing.assert_allclose(uniform.values, r_ll.values, rtol=1e-6)


def test_figure_4_shows_the_numbers_and_a_gap_where_there_is_none():
    failed = make_sweep().points[0].model_copy(update={"nfe": None, "seconds_per_batch": None, "frechet": None})
    points = [failed, *make_sweep().points[1:]]
    sweep = make_sweep(points=points, status="diverged", reason="tolerance 0.1: solver failed")
    with paper_style():
        figure = draw_figure4([sweep])
    quality, evaluations, seconds = (axis.get_lines()[0].get_xydata() for axis in figure.axes)
    np.testing.assert_array_equal(quality, [[1e-1, np.nan], [1e-3, 7.5], [1e-5, 7.2]])
    np.testing.assert_array_equal(evaluations, [[1e-1, np.nan], [1e-3, 44], [1e-5, 380]])
    np.testing.assert_allclose(seconds[1:, 1], [2.2 / 100, 19 / 100])  # batches of 100
    for words in (
        "tolerance 0.1: solver failed",
        "scaled down: data set",
        "commit c0ffee0",
        "50,000 images",
        "CIFAR-10",
    ):
        assert words in footer_of(figure)


def test_seconds_per_image_count_the_last_batch_that_is_not_full():
    sweep = make_sweep(num_samples=250, batch_size=100)
    assert seconds_per_image(sweep)[0] == pytest.approx(3 * sweep.points[0].seconds_per_batch / 250)


def test_a_distance_is_called_fid_only_where_it_is():
    assert distance_name([make_sweep()]) == "FID"
    frechet = (
        make_sweep().points[0].frechet.model_copy(update={"name": "Fréchet distance, random-convolution features"})
    )
    other = make_sweep(points=[make_sweep().points[0].model_copy(update={"frechet": frechet})])
    assert "FID" not in distance_name([other])
    assert distance_name([make_sweep(), other]) == "Fréchet distance"


def test_variance_bars_have_the_numbers():
    with paper_style():
        figure = draw_variance([make_study()])
    heights = sorted(bar.get_height() for bar in figure.axes[0].patches)
    np.testing.assert_allclose(heights, np.repeat([0.2, 3.2, 6.2, 9.2], 3))
    markers = [segment[0, 1] for lines in figure.axes[0].collections for segment in lines.get_segments()]
    np.testing.assert_allclose(sorted(markers), np.repeat([0.1, 1.1, 2.1, 3.1], 3))
    assert "D = 2,880" in footer_of(figure).replace("\u00a0", " ")


def test_curves_show_the_numbers(tmp_path):
    found = curves(tmp_path, line(10), line(20, nelbo=None, active_channels=[2, 2]), line(30, skipped=4))
    np.testing.assert_array_equal(found["active_channels"], [4, 4, 4])
    with paper_style():
        figure = draw_curves(found, "run", NOTE)
    drawn = {text.get_label(): text.get_ydata() for text in figure.axes[0].get_lines()}
    np.testing.assert_array_equal(drawn["NELBO"], [649, np.nan, 647])
    assert footer_of(figure).endswith("not finite: 4.")
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles[2] == "(c) prior's loss"
    with paper_style():
        first = draw_curves(curves(tmp_path, stage_1(10), stage_1(20)), "run", NOTE)
    assert first.axes[2].get_title(loc="left") == "(c) annealing"


def test_a_run_that_never_updated_has_curves_too(tmp_path):
    nothing = dict.fromkeys(("nelbo", "kl", "reconstruction", "loss_prior", "grad_norm_vae", "grad_norm_prior"))
    with paper_style():
        check_legible(draw_curves(curves(tmp_path, line(10, **nothing, skipped=10)), "run", NOTE))


@pytest.mark.parametrize(
    "text", [None, "", "{}\n", '{"step": 1}\n', '{"step": 1, "nel', "[1]\n", '{"step": "x", "nelbo": 1}']
)
def test_files_without_curves_are_named(text, tmp_path):
    path = tmp_path / "curves.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=r"curves\.jsonl") as caught:
        read_curves(path)
    assert "\n" not in str(caught.value)


def test_same_numbers_same_bytes(tmp_path):
    writers = {
        "4": lambda stem: write_figure4([make_sweep()], stem),
        "v": lambda stem: write_variance([make_study()], stem),
    }
    for name, write in writers.items():
        first, second = write(tmp_path / "a" / name), write(tmp_path / "b" / name)
        assert [path.name for path in first] == [f"{name}.png", f"{name}.pdf"]
        assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
        assert b"CreationDate" not in first[1].read_bytes()


def test_no_runs_no_figure():
    for draw in (lambda: draw_figure3([], NOTE), lambda: draw_figure4([]), lambda: draw_variance([])):
        with pytest.raises(ValueError, match="at least one"):
            draw()


def test_what_is_true_of_several_runs_is_said_once():
    assert said_once({"a": "same.", "b": "other.", "c": "same."}) == "a, c: same. b: other."
    assert commit_words(None, None) == "commit unknown"
    assert commit_words("0123456789abcdef", True) == "commit 0123456789 with uncommitted changes"
