"""Lines on the progress of long loops: at most one a minute, none unless someone listens."""

from __future__ import annotations

import logging

import pytest

from lsgm import progress_log
from lsgm.progress_log import shown, told


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """The time, which the test moves."""
    now = [0.0]
    monkeypatch.setattr(progress_log.time, "monotonic", lambda: now[0])
    return now


def go_through(count: int, seconds: float, clock: list[float]) -> None:
    for number, item in enumerate(told(range(count), "batches")):
        assert item == number
        clock[0] += seconds


def test_a_line_says_what_is_done_and_what_is_left(clock, capsys):
    with shown("lsgm sample"):
        go_through(4, 90.0, clock)
    assert capsys.readouterr().err.splitlines() == [
        "lsgm sample: batches: 1 of 4 in 90 s, about 270 s left",
        "lsgm sample: batches: 2 of 4 in 180 s, about 180 s left",
        "lsgm sample: batches: 3 of 4 in 270 s, about 90 s left",
    ]


def test_there_is_at_most_one_line_a_minute(clock, capsys):
    with shown("lsgm sample"):
        go_through(1000, 1.0, clock)
    told_at = [int(line.split()[3]) for line in capsys.readouterr().err.splitlines()]
    assert told_at == list(range(60, 1000, 60))


def test_what_is_short_says_nothing(clock, capsys):
    with shown("lsgm sample"):
        go_through(59, 1.0, clock)
        go_through(1, 900.0, clock)
    assert capsys.readouterr().err == ""


def test_a_library_user_sees_nothing_and_may_listen(clock, capsys, caplog):
    with shown("lsgm sample"):
        pass
    go_through(2, 90.0, clock)
    assert capsys.readouterr().err == ""
    with caplog.at_level(logging.INFO, logger="lsgm.progress"):
        go_through(2, 90.0, clock)
    assert "1 of 2" in caplog.text
