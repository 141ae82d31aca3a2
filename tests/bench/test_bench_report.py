from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from lsgm.bench.report import COLUMNS, Report, Run, read_report
from lsgm.bench.row import Row
from lsgm.config import ConfigError

ROWS = [
    Row("step", "a", seconds=0.5, seconds_min=0.25, repeats=3, ratio_to_plain=0.5),
    Row("step", "b, with | in it", seconds=1.0, seconds_min=0.75, repeats=3),
    Row("likelihood", "c", evaluations=50.0, error=math.nan, bias=-0.0002, repeats=1),
]
FACTS = {"device": "cpu", "load_at_the_start": None, "versions": {"torch": "2", "python": "3"}}
REPORT = Report([Run(FACTS, ROWS)])


def test_json_holds_every_row_in_full() -> None:
    content = json.loads(REPORT.json(), parse_constant=lambda text: 1 / 0)
    (run,) = content["runs"]
    assert run["machine"]["versions"] == {"torch": "2", "python": "3"}
    assert len(run["rows"]) == 3
    assert all({"name", "case", *COLUMNS} == set(row) for row in run["rows"])
    assert run["rows"][0]["seconds_min"] == 0.25
    assert run["rows"][1]["ratio_to_plain"] is None


def test_numbers_that_are_not_finite_are_shown() -> None:
    assert json.loads(REPORT.json())["runs"][0]["rows"][2]["error"] == "nan"
    assert "| c | 50 | nan | -2.0e-04 | 1 |" in REPORT.markdown()


def test_tables_have_the_columns_that_were_measured() -> None:
    text = REPORT.markdown()
    assert "| case | median | least | x plain | rounds |" in text
    assert "| a | 500 ms | 250 ms | 0.500 | 3 |" in text
    assert "| b, with \\| in it | 1.00 s | 750 ms | - | 3 |" in text
    assert "| case | evaluations | rms error, nats | mean error, nats | rounds |" in text
    assert text.count("\n## ") == 2
    assert "- load at the start: unknown" in text
    assert "- versions: torch 2, python 3" in text


def test_a_benchmark_that_is_run_again_replaces_its_rows(tmp_path) -> None:
    file = tmp_path / "bench.json"
    file.write_text(REPORT.json())
    again = read_report(file).with_run(Run({"device": "abacus"}, [Row("step", "a", seconds=2.0, repeats=1)]))
    assert [(run.machine["device"], run.names) for run in again.runs] == [
        ("cpu", ("likelihood",)),
        ("abacus", ("step",)),
    ]
    assert math.isnan(again.runs[0].rows[0].error)
    text = again.markdown()
    assert "**likelihood**" in text and "**step**" in text and "- device: abacus" in text
    assert text.index("## One training step") < text.index("## Likelihood") and "| b, with" not in text
    everything = again.with_run(Run({}, ROWS))
    assert len(everything.runs) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "runs": []}', '{"format": 2, "runs": [1]}'])
def test_another_file_is_not_overwritten(tmp_path, text) -> None:
    file = tmp_path / "bench.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"bench\.json: is no file that"):
        read_report(file)


def test_rows_of_an_unknown_benchmark_are_refused(tmp_path) -> None:
    file = tmp_path / "bench.json"
    file.write_text(REPORT.json().replace('"step"', '"abacus"'))
    with pytest.raises(ConfigError):
        read_report(file)


def test_the_published_tables_are_those_of_the_published_numbers() -> None:
    docs = Path(__file__).parents[2] / "docs"
    assert read_report(docs / "bench.json").markdown() == (docs / "bench.md").read_text(encoding="utf-8")
