"""Measurements that never were, and what every figure must fulfil: legible, no text over another, nothing cut off."""

from __future__ import annotations

import itertools

from fake_metrics import make_metrics
from matplotlib.text import Text

from lsgm.reporting.records.figure_measurements import SamplerStudy, ToleranceSweep, VarianceStudy

LONG = "data set; widths, cells and groups of both networks; training length; number of test images and samples"
SMALLEST_FONT = 7.0  # points
ROUNDING = 0.5  # pixels


def header(run: str, **changes) -> dict:
    metrics = make_metrics()
    known = {"data": metrics.data, "provenance": metrics.provenance, "scaled_down": LONG}
    return {"run": run, "scale": "demo", "status": "ok", **known, **changes}


def make_sweep(run: str = "cifar10_best_fid", **changes) -> ToleranceSweep:
    frechet = make_metrics().frechet
    points = [
        {"tol": tol, "nfe": nfe, "seconds_per_batch": nfe / 20, "frechet": frechet.model_copy(update={"value": value})}
        for tol, nfe, value in [(1e-1, 14, 60.0), (1e-3, 44, 7.5), (1e-5, 380, 7.2)]
    ]
    sizes = {"num_samples": 50_000, "batch_size": 100, "time_end": 1e-5}
    return ToleranceSweep.model_validate({**header(run), "points": points, **sizes, **changes})


def make_samplers(run: str = "cifar10_best_fid", **changes) -> SamplerStudy:
    frechet = make_metrics().frechet
    points = [
        {
            "solver": solver,
            "setting": setting,
            "nfe": nfe,
            "seconds_per_batch": nfe / 20,
            "latent_error": error,
            "frechet": frechet.model_copy(update={"value": value}),
        }
        for solver, setting, nfe, error, value in [
            *(("ode", 1e-1, 14, 0.3, 20.0), ("ode", 1e-3, 44, 0.05, 7.5), ("ode", 1e-5, 380, 0.004, 7.2)),
            *(("heun", 6, 6, 0.1, 8.0), ("heun", 10, 10, 0.03, 7.3)),
            *(("multistep", 6, 6, 0.04, 7.4), ("multistep", 10, 10, 0.02, 7.2)),
        ]
    ]
    sizes = {"num_samples": 50_000, "batch_size": 100, "num_latents": 100, "time_end": 1e-5}
    reference = {"reference_tol": 1e-7, "reference_nfe": 900, "latent_std": 1.3, "sde": "vpsde"}
    return SamplerStudy.model_validate({**header(run), "points": points, **sizes, **reference, **changes})


def make_study(run: str = "cifar10_best_fid", times=("uniform", "ll", "un", "re"), **changes) -> VarianceStudy:
    points = [
        {"weighting": weighting, "times": name, "mean": 10.0, "std": 2.0 + 30 * index, "normal_variation": 0.1 + index}
        for weighting in ("ll", "un", "re")
        for index, name in enumerate(times)
    ]
    sizes = {"sde": "vpsde", "num_images": 1000, "num_times": 16, "num_dims": 2880}
    return VarianceStudy.model_validate({**header(run), "points": points, **sizes, **changes})


def check_legible(figure) -> None:
    """Every text is large enough, lies within the figure, and touches no other."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    texts = [text for text in texts if text not in _undrawn_ticks(figure)]
    assert min(text.get_fontsize() for text in texts) >= SMALLEST_FONT
    boxes = {text: text.get_window_extent(renderer) for text in texts}
    for text, box in boxes.items():
        inside = box.x0 > -ROUNDING and box.y0 > -ROUNDING
        inside = inside and box.x1 < figure.bbox.x1 + ROUNDING and box.y1 < figure.bbox.y1 + ROUNDING
        assert inside, f"cut off: {text.get_text()!r} at {box}"
    for (one, first), (other, second) in itertools.combinations(boxes.items(), 2):
        width = min(first.x1, second.x1) - max(first.x0, second.x0)
        height = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert width < 1 or height < 1, f"{one.get_text()!r} touches {other.get_text()!r}"


def _undrawn_ticks(figure) -> set[Text]:
    """Labels of ticks that lie outside their axis' range: there, but not drawn."""
    undrawn = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = 1e-9 * (abs(low) + abs(high))
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            undrawn |= {tick.label1 for tick in ticks if not low - slack <= tick.get_loc() <= high + slack}
    return undrawn
