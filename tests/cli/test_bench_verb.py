from __future__ import annotations

import json

import pytest

from lsgm.bench.scales import SCALES
from lsgm.bench.suite import BENCHMARKS
from lsgm.cli.main import main
from lsgm.cli.verbs import bench


def test_list_names_every_benchmark(capsys) -> None:
    assert main(["bench", "--list"]) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == list(BENCHMARKS)


def test_files_and_tables(tmp_path, capsys) -> None:
    out, table = tmp_path / "new" / "bench.json", tmp_path / "bench.md"
    words = ["bench", "data", "--quick", "--repeats", "1", "--device", "cpu"]
    assert main([*words, "--out", str(out), "--table", str(table)]) == 0
    shown, progress = capsys.readouterr()
    assert shown == table.read_text(encoding="utf-8")
    assert "data: batch of 8 images" in progress
    (content,) = json.loads(out.read_text(encoding="utf-8"))["runs"]
    assert {row["name"] for row in content["rows"]} == {"data"}
    assert {row["repeats"] for row in content["rows"]} == {1}
    expected = {"date", "scale", "device", "cores", "threads", "commit", "versions", "load_at_the_start"}
    assert expected <= content["machine"].keys()
    assert content["machine"]["scale"] == "quick"
    assert "torch" in content["machine"]["versions"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["speed"], "speed: no such benchmark; there are floor, step"),
        (["floor", "--repeats", "0"], "--repeats 0: must be at least 1"),
        (["floor", "--threads", "0"], "--threads 0: must be at least 1"),
        (["floor", "--device", "abacus"], "--device abacus: not usable here"),
        (["floor", "--table", "."], "--table .: is a folder"),
        (["floor", "--out", "."], "--out .: is a folder"),
    ],
)
def test_bad_input_is_one_line(words, message, capsys) -> None:
    assert main(["bench", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"lsgm bench: error: {message}")
    assert error.count("\n") == 1


def test_every_scale_is_offered() -> None:
    assert tuple(SCALES) == bench.SCALES


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(SystemExit) as stop:
        main(["bench", "--scale", "huge"])
    assert stop.value.code == 2
