from __future__ import annotations

import json
import math

from lsgm.bench.report import COLUMNS, Report
from lsgm.bench.row import Row

ROWS = [
    Row("step", "a", seconds=0.5, seconds_min=0.25, repeats=3, ratio_to_plain=0.5),
    Row("step", "b, with | in it", seconds=1.0, seconds_min=0.75, repeats=3),
    Row("likelihood", "c", evaluations=50.0, error=math.nan, bias=-0.0002, repeats=1),
]
REPORT = Report({"device": "cpu", "load_at_the_start": None, "versions": {"torch": "2", "python": "3"}}, ROWS)


def test_json_holds_every_row_in_full() -> None:
    content = json.loads(REPORT.json(), parse_constant=lambda text: 1 / 0)
    assert content["machine"]["versions"] == {"torch": "2", "python": "3"}
    assert len(content["rows"]) == 3
    assert all({"name", "case", *COLUMNS} == set(row) for row in content["rows"])
    assert content["rows"][0]["seconds_min"] == 0.25
    assert content["rows"][1]["ratio_to_plain"] is None


def test_numbers_that_are_not_finite_are_shown() -> None:
    assert json.loads(REPORT.json())["rows"][2]["error"] == "nan"
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
