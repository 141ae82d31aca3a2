"""Every benchmark at the smallest size: complete rows, which make valid files. No test says how fast anything is."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import fields, replace
from functools import cache

import pytest
import torch
from bench.bench_cases import CPU, SETTING, TINY

from lsgm.bench import run as running
from lsgm.bench.benchmark import Setting
from lsgm.bench.memory import StepCase, peak_mb, peak_resident_mb
from lsgm.bench.networks import ALGORITHMS, PRETRAINING, small
from lsgm.bench.process_group import GroupCase, step_in_group
from lsgm.bench.report import Report, Run
from lsgm.bench.row import Row
from lsgm.bench.sampler_cases import STOCHASTIC, reference_case, sampler_cases
from lsgm.bench.scales import SCALES
from lsgm.bench.suite import BENCHMARKS, startup
from lsgm.config import ConfigError
from lsgm.sampling import SAMPLERS


def rows_of(name: str, setting: Setting = SETTING) -> list[Row]:
    return list(running.measure(name, setting))


@cache
def rows_at_tiny_scale(name: str) -> list[Row]:
    return rows_of(name)


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name != "startup"])
def test_rows_are_complete(name: str) -> None:
    rows = rows_at_tiny_scale(name)
    assert rows
    assert len({row.case for row in rows}) == len(rows)
    for row in rows:
        assert row.name == name
        assert row.seconds is not None or row.error is not None
        for field in fields(row):
            value = getattr(row, field.name)
            if isinstance(value, float):
                assert math.isfinite(value), (row.case, field.name)
                assert value > 0 or field.name in ("error", "bias"), (row.case, field.name)
        if row.seconds is not None:
            assert row.seconds_min <= row.seconds
            assert row.repeats > 0
    content = json.loads(Report([Run({}, rows)]).json())
    assert [row["case"] for row in content["runs"][0]["rows"]] == [row.case for row in rows]
    table = Report([Run({}, rows)]).markdown().splitlines()
    assert len({line.count(" | ") for line in table if line.startswith("| ")}) == 1


def test_steps_are_those_of_every_algorithm_beside_their_plain_versions() -> None:
    rows = {row.case: row for row in rows_at_tiny_scale("step")}
    for way in (PRETRAINING, *ALGORITHMS):
        own, plain = rows[f"small, {way}, float32"], rows[f"small, {way}, float32, plain"]
        assert own.ratio_to_plain is not None
        assert plain.ratio_to_plain is None
        assert None not in (own.ratio_to_floor, plain.ratio_to_floor, own.gflops)
        assert own.gflop == plain.gflop


def test_every_sampler_is_measured_on_every_prior() -> None:
    cases = {row.case: row for row in rows_at_tiny_scale("sampling")}
    for solver in SAMPLERS:
        of_it = [case for case in cases if f": {solver}" in case]
        assert any(case.startswith("small") for case in of_it)
        errors = [cases[case].error for case in of_it if case.startswith("mixture")]
        assert bool(errors) == (solver not in STOCHASTIC)
        assert None not in errors
    reference = next(row for case, row in cases.items() if case.endswith(reference_case(TINY)) and row.seconds)
    assert reference.ratio_to_plain == 1.0


def test_error_falls_with_evaluations() -> None:
    scale = replace(TINY, evaluations=(4, 16))
    cases = {row.case: row.error for row in rows_of("sampling", Setting(CPU, scale, 1)) if row.error is not None}
    for solver in ("multistep", "heun"):
        for alpha in ("0.1", "0.9"):
            few, many = (cases[f"mixture, alpha {alpha}: {solver}, {count} evaluations"] for count in (4, 16))
            assert many < few


def test_what_is_not_installed_leaves_a_row_that_says_so(monkeypatch) -> None:
    def missing(setting: Setting):
        yield Row("data", "first")
        raise ImportError("No module named 'torchdiffeq'")

    monkeypatch.setitem(BENCHMARKS, "data", replace(BENCHMARKS["data"], run=missing))
    first, last = rows_of("data")
    assert first.case == "first"
    assert last.note == "left out: No module named 'torchdiffeq'"


def test_what_does_not_fit_leaves_a_row_that_says_so(monkeypatch) -> None:
    def too_large(setting: Setting):
        raise torch.OutOfMemoryError("CUDA out of memory.\nmuch more")
        yield

    monkeypatch.setitem(BENCHMARKS, "data", replace(BENCHMARKS["data"], run=too_large))
    assert [row.note for row in rows_of("data")] == ["left out: CUDA out of memory."]


def test_chosen_benchmarks_run_in_the_order_of_the_suite() -> None:
    assert running.choose([]) == list(BENCHMARKS)
    assert running.choose(["sampling", "floor"]) == ["floor", "sampling"]
    with pytest.raises(ConfigError, match=r"^speed: no such benchmark; there are floor, step, "):
        running.choose(["floor", "speed"])


@pytest.mark.slow
def test_processes_share_a_step() -> None:
    found = step_in_group(GroupCase(small(), "algorithm 1", batch=4, processes=2, threads=2, repeats=3))
    assert len(found.seconds) == 3
    assert found.minimum > 0


@pytest.mark.slow
def test_a_group_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="no way"):
        step_in_group(GroupCase(small(), "no way", batch=4, processes=1, threads=1, repeats=1))


@pytest.mark.parametrize("name", SCALES)
def test_scales_are_consistent(name: str) -> None:
    scale = SCALES[name]
    assert scale.name == name
    assert reference_case(scale) in sampler_cases(scale)
    assert set(scale.memory) <= {PRETRAINING, *ALGORITHMS}


def test_memory_is_that_of_a_process_of_its_own() -> None:
    own = peak_resident_mb()
    peak = peak_mb(StepCase(small(), "algorithm 3", True, 2), CPU)
    assert (peak is None) == (own is None)
    assert peak is None or 50 < peak < 5000


def test_peak_memory_is_read_from_the_system(tmp_path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tpython\nVmHWM:\t  250000 kB\nVmRSS:\t 1 kB\n")
    assert peak_resident_mb(status) == 256.0
    assert peak_resident_mb(tmp_path / "none") is None


class Commands:
    """Stands in for starting processes."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.started: list[list[str]] = []

    def __call__(self, words: list[str], **options: object) -> subprocess.CompletedProcess:
        self.started.append(words[1:])
        return subprocess.CompletedProcess(words, self.code, "", "no such thing\n")


def test_start_up_times_commands_and_says_what_is_left_out(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = Commands()
    monkeypatch.setattr(startup.subprocess, "run", commands)
    rows = {row.case: row for row in rows_of("startup", Setting(CPU, SCALES["mnist"], 2))}
    assert commands.started.count(["-m", "lsgm.cli.main", "--help"]) == 3
    assert rows["lsgm --help"].ratio_to_plain is not None
    assert rows["lsgm VERB --dry-run"].note.startswith("left out: no config/experiments/mnist.yaml")
    assert rows["snakemake --dry-run --config scale=test"].note.startswith("left out: no Snakemake")


def test_a_command_that_fails_is_an_error_and_not_a_time(monkeypatch) -> None:
    monkeypatch.setattr(startup.subprocess, "run", Commands(1))
    with pytest.raises(RuntimeError, match="no such thing"):
        rows_of("startup")
