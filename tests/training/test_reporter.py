from __future__ import annotations

import sys

from lsgm.training.logging import TerminalReporter

RECORD = {"step": 10, "nelbo": 81.2, "loss_vae": 80.0, "skipped": 2, "seconds": 3.0}


def test_plain_lines_elsewhere(capsys):
    reporter = TerminalReporter()
    reporter.start("train", 0, 20)
    reporter.advance(9, None)
    reporter.advance(10, RECORD)
    reporter.note("a note")
    reporter.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["train: step 10/20  loss_vae 80  nelbo 81.2  skipped 2  3 s", "a note"]


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    reporter = TerminalReporter()
    reporter.start("train", 9, 20)
    reporter.advance(10, RECORD)
    reporter.note("a note")
    reporter.close()
    shown = capsys.readouterr().err
    assert "10/20" in shown
    assert "a note" in shown
