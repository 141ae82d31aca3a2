"""Timing, rows and report of the benchmarks, each at the smallest size. No test says how fast anything is."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from functools import cache, partial
from itertools import product
from pathlib import Path

import pytest
import torch

from lsgm.bench import report as reporting
from lsgm.bench.networks import QUICK, WAYS
from lsgm.bench.report import BENCHMARKS, Report, Section, measure, read_report
from lsgm.bench.sampling import STOCHASTIC
from lsgm.bench.timing import Row, interleaved, ratios, timed_row
from lsgm.config import ConfigError
from lsgm.sampling import SAMPLERS

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
FEW = {"evaluations": (4, 16), "steps": 2, "tolerances": (1e-1, 1e-2), "likelihood_steps": (4,)}
TINY = replace(QUICK, batch=2, rounds=2, memory=(), latent=(2, 4, 2), **FEW)


def test_versions_take_turns_and_warm_up_does_not_count() -> None:
    seconds, done = {"a": [50.0, 2.0, 4.0, 3.0], "b": [90.0, 1.0, 8.0, 1.0]}, []
    versions = {name: partial(done.append, name) for name in seconds}

    def clock() -> float:
        """Seconds that pass only while work is done."""
        return sum(seconds[name][done[:turn].count(name)] for turn, name in enumerate(done))

    assert interleaved(versions, 3, CPU, clock=clock) == {"a": [2.0, 4.0, 3.0], "b": [1.0, 8.0, 1.0]}
    assert done == ["a", "b"] * 4


def test_ratios_are_taken_within_rounds() -> None:
    row = timed_row("case", [1.0, 30.0, 2.0], [2.0, 10.0, 1.0])
    assert (row.seconds, row.seconds_min, row.rounds) == (2.0, 1.0, 3)
    assert (row.ratio, row.ratio_range) == (2.0, (0.5, 3.0))
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])
    # 3 GFLOP in 2 s; the roofline is 10 GFLOP in 1 s, so 3 in 0.3 s; in the second round all is twice as slow.
    row = timed_row("case", [2.0, 4.0], [4.0, 8.0], ([1.0, 2.0], 10e9), 3e9, memory_mb=7.0)
    assert row.ratio_to_roofline == pytest.approx(2.0 / 0.3)
    assert (row.gflop, row.gflops, row.memory_mb, row.evaluations) == (3.0, 1.0, 7.0, None)


@cache
def rows(name: str) -> list[Row]:
    return list(measure(name, TINY, CPU))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_rows_are_complete(name: str) -> None:
    assert len({row.case for row in rows(name)}) == len(rows(name)) > 1
    assert any(row.ratio == 1.0 for row in rows(name))
    for row in rows(name):
        assert row.seconds is not None or row.error is not None
        for field, value in row:
            if isinstance(value, float):
                assert math.isfinite(value), (row.case, field)
                assert value > 0 or field in ("error", "bias"), (row.case, field)


def test_steps_are_those_of_every_way_beside_their_naive_baselines() -> None:
    own, naive = rows("step")[::2], rows("step")[1::2]
    assert [row.case for row in own] == [f"small, {way}, float32" for way in WAYS]
    assert [row.case for row in naive] == [f"{row.case}, naive baseline" for row in own]
    assert [row.gflop for row in naive] == [row.gflop for row in own]
    assert None not in [row.ratio_to_roofline for row in (*own, *naive)]


def test_every_sampler_is_measured_and_errors_fall_with_evaluations() -> None:
    found = {row.case: row for row in rows("sampling")}
    for solver in SAMPLERS:
        priors = {re.split(", |: ", case)[0] for case in found if f": {solver}, " in case}
        assert priors == ({"small"} if solver in STOCHASTIC else {"small", "mixture"})
    for solver, alpha in product(("multistep", "heun"), ("0.1", "0.9")):
        few, many = (found[f"mixture, alpha {alpha}: {solver}, evaluations {count}"].error for count in (4, 16))
        assert many < few


def test_what_does_not_fit_leaves_a_row_that_says_so(monkeypatch) -> None:
    def too_large(scale, device):
        yield Row(case="first")
        raise torch.OutOfMemoryError("CUDA out of memory.\nmuch more")

    monkeypatch.setitem(reporting.BENCHMARKS, "step", BENCHMARKS["step"]._replace(run=too_large))
    first, last = measure("step", TINY, CPU)
    assert (first.case, last.note) == ("first", "left out: CUDA out of memory.")


ROWS = [
    Row(case="a", seconds=0.5, seconds_min=0.25, rounds=3, ratio=0.5, ratio_range=(0.25, 1.5)),
    Row(case="b, with | in it", seconds=1.0, seconds_min=0.75, rounds=3),
]
STEP = Section(machine={"device": "cpu", "versions": {"torch": "2", "python": "3"}}, rows=ROWS)
LIKELIHOOD = Section(machine={}, rows=[Row(case="c", evaluations=50.0, error=math.nan, bias=-0.0002, rounds=1)])


def test_tables_have_the_columns_that_were_measured() -> None:
    text = Report(benchmarks={"likelihood": LIKELIHOOD, "step": STEP}).markdown()
    assert "| case | median | least | x naive baseline | rounds |" in text
    assert "| a | 500 ms | 250 ms | 0.5 (0.25 - 1.5) | 3 |" in text
    assert "| b, with \\| in it | 1 s | 750 ms | - | 3 |" in text
    assert "| case | evaluations | rms error, nats | mean error, nats | rounds |" in text
    assert "| c | 50 | nan | -0.0002 | 1 |" in text
    assert "device: cpu; versions: torch 2, python 3" in text
    assert {line.count(" | ") for line in text.splitlines() if line.startswith("| ")} == {4}
    assert text.index(BENCHMARKS["step"].title) < text.index(BENCHMARKS["likelihood"].title)


def test_a_document_is_read_back_as_it_was_written(tmp_path) -> None:
    file = tmp_path / "bench.json"
    assert read_report(file).benchmarks == {}
    file.write_text(Report(benchmarks={"step": STEP, "likelihood": LIKELIHOOD}).json_text())
    assert json.loads(file.read_text())["benchmarks"]["likelihood"]["rows"][0]["error"] == "NaN"
    again = read_report(file)
    assert again.benchmarks["step"] == STEP
    assert math.isnan(again.benchmarks["likelihood"].rows[0].error)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 2, "benchmarks": {}}', '{"benchmarks": {"abacus": {"machine": {}, "rows": []}}}']
)
def test_another_file_is_not_overwritten(tmp_path, text) -> None:
    file = tmp_path / "bench.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"bench\.json: "):
        read_report(file)


def test_the_published_tables_are_those_of_the_published_numbers() -> None:
    published = read_report(ROOT / "docs" / "bench.json")
    assert published.markdown() == (ROOT / "docs" / "bench.md").read_text(encoding="utf-8")


def test_the_package_does_not_need_its_benchmarks() -> None:
    files = [file for file in (ROOT / "src" / "lsgm").rglob("*.py") if file.parent.name != "bench"]
    is_user = re.compile(r"(from|import) lsgm\.bench|from lsgm import .*\bbench\b").search
    assert [file.name for file in files if is_user(file.read_text("utf-8"))] == ["bench.py"]
