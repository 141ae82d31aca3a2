"""What becomes of the times of batches: the first does not count, and a ratio is taken within a round."""

from __future__ import annotations

from pathlib import Path

import pytest

from lsgm.cli.records.cost_sweep import Series
from lsgm.cli.records.parts_clock import Instant, PartTimes
from lsgm.config import SampleConfig

OWN, OTHER = (99.0, 2.0, 9.0, 12.0), (50.0, 1.0, 2.0, 6.0)
NFE = [(10, 9.0), (20, 15.0), (30, 21.0), (40, 27.0)]


def series(walls, problem=None) -> Series:
    """One of batches that took so long, a tenth of it in the decoder, on two processors."""
    times = [
        PartTimes(
            network=Instant(0.5 * wall, wall), prior=Instant(0.9 * wall, 1.8 * wall), decoder=Instant(0.1 * wall, 0.1)
        )
        for wall in walls
    ]
    found = Series(None, "ode, tol 0.1", SampleConfig(), iter(()), times=times, nfe=NFE, problem=problem)
    found._distance = lambda cache: None
    return found


def test_medians_are_of_the_batches_after_the_first():
    point = series(OWN).point(None, Path("x"))
    assert (point.network.wall, point.prior.wall, point.decoder.wall) == pytest.approx((4.5, 8.1, 0.9))
    assert (point.batch.wall, point.fastest, point.slowest) == pytest.approx((9, 2, 12))
    assert point.prior.cpu == pytest.approx(16.2)
    assert (point.ratio, point.cpu_ratio) == (None, None)


def test_all_batches_count_for_evaluations():
    point = series(OWN).point(None, Path("x"))
    assert (point.nfe, point.nfe_per_image) == (25, 18)


def test_ratios_are_medians_of_quotients_and_no_quotients_of_medians():
    point = series(OWN).point(series(OTHER), Path("x"))
    assert point.ratio == pytest.approx(2), "quotients 2, 4.5 and 2; the medians' is 4.5"
    assert point.cpu_ratio == pytest.approx(21.7 / 10.9), "quotients 1.95, 4.41 and 1.99"


def test_a_reference_that_failed_gives_no_ratio_and_a_failed_series_no_numbers():
    assert series(OWN).point(series(OTHER[:2], "no"), Path("x")).ratio is None
    failed = series(OWN[:2], "no").point(series(OTHER), Path("x"))
    assert failed.batch is None and failed.nfe is None and failed.solver == "ode"
