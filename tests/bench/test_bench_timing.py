from __future__ import annotations

import pytest
from bench.bench_cases import CPU, WorkClock

from lsgm.bench.row import timed_row
from lsgm.bench.timing import Timing, in_turns, joined, repeated


def test_versions_take_turns_and_warm_up_does_not_count() -> None:
    clock = WorkClock()
    versions = {"a": clock.work("a", [50.0, 2.0, 4.0, 3.0]), "b": clock.work("b", [90.0, 1.0, 8.0, 1.0])}
    found = in_turns(versions, 3, CPU, clock=clock)
    assert clock.done == ["a", "b"] * 4
    assert found == {"a": Timing((2.0, 4.0, 3.0)), "b": Timing((1.0, 8.0, 1.0))}
    assert (found["a"].median, found["a"].minimum) == (3.0, 2.0)


def test_a_ratio_is_taken_within_rounds() -> None:
    # The machine is ten times slower in the second round; a quotient of medians would say 1.
    own, plain = Timing((1.0, 10.0, 2.0)), Timing((2.0, 20.0, 4.0))
    assert own.ratio(plain) == 0.5
    assert Timing((1.0, 30.0, 2.0)).ratio(Timing((2.0, 10.0, 1.0))) == 2.0


def test_rounds_that_do_not_match_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Timing((1.0, 2.0)).ratio(Timing((1.0,)))


def test_rates_and_the_ratio_to_the_floor() -> None:
    # 3 GFLOP in 2 s; the floor does 10 GFLOP in 1 s, and so 3 in 0.3 s; in the second round all is twice as slow.
    own, floor = Timing((2.0, 4.0)), Timing((1.0, 2.0))
    row = timed_row("step", "case", own, Timing((4.0, 8.0)), (floor, 10e9), 3e9, memory_mb=7.0)
    assert (row.seconds, row.seconds_min, row.repeats) == (3.0, 2.0, 2)
    assert row.ratio_to_plain == 0.5
    assert row.ratio_to_floor == pytest.approx(2.0 / 0.3)
    assert (row.gflop, row.gflops) == (3.0, 1.0)
    assert (row.memory_mb, row.evaluations, row.note) == (7.0, None, "")


def test_parts_and_sums() -> None:
    clock = WorkClock()
    repeated(clock.work("a", [1.0] * 3), 3)()
    assert clock.now == 3.0
    assert Timing((6.0, 3.0)).per(3) == Timing((2.0, 1.0))
    assert joined([Timing((1.0,)), Timing((2.0, 3.0))]) == Timing((1.0, 2.0, 3.0))
