from __future__ import annotations

import json

import pytest

from lsgm.bench.networks import SCALES
from lsgm.bench.report import BENCHMARKS
from lsgm.cli.main import main
from lsgm.cli.verbs import bench


def test_list_names_every_benchmark(capsys) -> None:
    assert main(["bench", "--list"]) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == list(BENCHMARKS)


def test_files_and_tables(tmp_path, capsys) -> None:
    """A second run adds its section to the file, and to the page."""
    out, table = tmp_path / "new" / "bench.json", tmp_path / "bench.md"
    words = ["--quick", "--repeats", "1", "--device", "cpu", "--out", str(out), "--table", str(table)]
    for name in ("options", "likelihood"):
        assert main(["bench", name, *words]) == 0
        shown, progress = capsys.readouterr()
        assert shown == table.read_text(encoding="utf-8")
    assert "likelihood: adaptive, tol 0.001" in progress
    found = json.loads(out.read_text(encoding="utf-8"))["benchmarks"]
    assert list(found) == ["options", "likelihood"]
    for section in found.values():
        assert {row["rounds"] for row in section["rows"]} == {1}
        expected = {"date", "scale", "device", "cores", "threads", "commit", "versions", "load_at_the_start"}
        assert expected <= section["machine"].keys()
        assert section["machine"]["scale"] == "quick"
        assert "torch" in section["machine"]["versions"]
    out.write_text("{}]")
    assert main(["bench", "options", *words]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["speed"], "speed: no such benchmark; there are step, options"),
        (["step", "--repeats", "0"], "--repeats 0: must be at least 1"),
        (["step", "--threads", "0"], "--threads 0: must be at least 1"),
        (["step", "--device", "abacus"], "--device abacus: not usable here"),
        (["step", "--table", "."], "--table .: is a folder"),
        (["step", "--out", "."], "--out .: is a folder"),
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
