from __future__ import annotations

import json

import pytest

from lsgm.training.logging import CURVES, EVENTS, Averages, CurveLog, read_curve


def write(folder, step, *steps):
    log = CurveLog(folder, step)
    for number in steps:
        log.write({"step": number, "kl": number / 2, "kl_groups": [1.0, None], "skipped": 0})
    log.close()


def test_resume_removes_later_and_torn_lines(tmp_path):
    write(tmp_path, 0, 5, 10, 15)
    path = tmp_path / CURVES
    path.write_text(path.read_text() + '{"step": 20, "k')
    assert [record["step"] for record in read_curve(path)] == [5, 10, 15]
    write(tmp_path, 10, 15, 20)
    assert [record["step"] for record in read_curve(path)] == [5, 10, 15, 20]
    write(tmp_path, 0, 5)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [5]


def test_non_finite_numbers_are_refused(tmp_path):
    log = CurveLog(tmp_path, 0)
    with pytest.raises(ValueError, match="JSON"):
        log.write({"step": 1, "kl": float("nan")})
    log.close()


def test_tensorboard_gets_the_same_numbers(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write(tmp_path, 0, 4, 8)
    events = EventAccumulator(str(tmp_path / EVENTS))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == ["kl", "kl_groups/0", "skipped"]
    assert [(event.step, event.value) for event in events.Scalars("kl")] == [(4, 2.0), (8, 4.0)]


def test_averages():
    averages, other = Averages(), Averages()
    averages.add({"kl": 1.0})
    other.load_state_dict(averages.state_dict())
    other.add({"kl": 2.0})
    assert other.take() == {"kl": 1.5}
    assert other.take() == {}
