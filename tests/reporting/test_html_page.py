"""Pages of the report: tables with shared headings, text that stays text, nothing fetched from outside."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from fake_metrics import STAND_IN, make_metrics, make_vae

from lsgm.reporting import build_table
from lsgm.reporting.formats.html_page import Markup, bullets, facts, folded, grid, listing, marked, page

LABELS = [("", "method"), ("paper", "NLL"), ("paper", "FID"), ("ours on digits", "FID"), ("", "note")]


class Reader(HTMLParser):
    """Collects rows of cells `(tag, colspan, class, text)`, and checks that every tag is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[list]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            found = dict(attrs)
            self.rows[-1].append([tag, int(found.get("colspan", 1)), found.get("class", ""), ""])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1][-1] += data


def cells(text):
    reader = Reader(text)
    assert reader.open == []
    return [[tuple(cell[1:]) for cell in row] for row in reader.rows]


def test_neighbours_of_an_upper_level_share_a_heading_and_those_of_the_last_do_not():
    rows = cells(grid(LABELS, [["LSGM", "2.87", "2.10", "7.3", "1"]]))
    assert [(width, text) for width, _, text in rows[0]] == [(1, ""), (2, "paper"), (1, "ours on digits"), (1, "")]
    assert [(width, text) for width, _, text in rows[1]] == [(1, label[1]) for label in LABELS]
    assert [sum(width for width, _, _ in row) for row in rows] == [5, 5, 5]


def test_a_heading_does_not_reach_below_the_next_one_above_it():
    rows = cells(grid([("w_ll", "U", "rew"), ("w_un", "U", "rew"), ("w_un", "U", "ll")], [["1", "2", "3"]]))
    assert [(width, text) for width, _, text in rows[1]] == [(1, "U"), (2, "U")]


def test_numbers_stand_right_and_ours_has_a_colour_by_its_column_or_its_row():
    *_, first, second = cells(grid(LABELS, [["LSGM", "2.87", "NaN", "7.3", ""], ["ours", "-", "n/a", "7.4", ""]]))
    assert [kind for _, kind, _ in first] == ["", "number", "number", "number ours", ""]
    assert [kind for _, kind, _ in second] == ["ours", "number ours", "number ours", "number ours", "ours"]


def test_an_error_stays_with_its_sign():
    assert "2.91 ±\xa00.01" in cells(grid([("x",)], [["≤ 2.91 ± 0.01"]]))[1][0][2]


def test_text_stays_text_and_symbols_get_their_index():
    evil = "<script>alert('1')</script> & \"x\""
    for text in (marked(evil), facts({evil: evil}), bullets([evil]), folded(evil, listing(evil)), page(evil)):
        assert "<script" not in text and "&lt;script&gt;" in text
    assert marked("w_un, not lr_sgm") == "<i>w</i><sub>un</sub>, not lr_sgm"
    assert marked(Markup("<b>x</b>")) == "<b>x</b>"


def test_facts_leave_out_what_is_not_known_and_keep_zero():
    assert [text for row in cells(facts({"a": "", "b": None, "c": 0})) for *_, text in row] == ["c", "0"]
    assert bullets([]) == ""


@pytest.mark.parametrize("number", [2, 6])
def test_a_table_as_a_page_has_the_numbers_and_the_notes_of_its_markdown(number, store, config):
    cell = "vpsde-un-is-rew"
    runs = (
        [make_metrics("ablation", cell=cell, **STAND_IN)]
        if number == 6
        else [make_metrics("cifar10_best_fid", **STAND_IN), make_vae(**STAND_IN)]
    )
    files = {run.cell or run.experiment: [store(run)] for run in runs}
    table = build_table(number, config / "paper" / f"table{number}.yaml", config / "ablation.csv", files)
    shown = cells(table.html)
    numbers = [[text.replace("\xa0", " ") for *_, text in row] for row in shown]
    levels = table.display.columns.nlevels
    assert numbers[levels:] == [
        [re.sub(r"\b([wr])_(ll|un|re)", r"\1\2", cell) for cell in row] for row in table.display.to_numpy().tolist()
    ]
    assert f"<h1>Table {number}: " in table.html
    for note in (*table.notes, *table.run_notes):
        assert marked(note) in table.html
    assert not re.search(r"<(script|link|img|iframe)|https?://|url\(", table.html)
