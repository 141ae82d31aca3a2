"""Pages for the workflow's report: HTML with its style inside, without scripts, and nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby

from .latex import NUMERIC, SYMBOL, WIDE

STYLE = """
body { font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; color: #1e293b; margin: 1.5rem 2rem 4rem; }
h1 { font-size: 1.3rem; margin: 0 0 1rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .5rem; }
h3 { font-size: .95rem; margin: 0 0 .3rem; color: #475569; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 0 0 1.2rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid #e2e8f0; }
thead th { vertical-align: bottom; border-bottom: 1px solid #94a3b8; font-weight: 600; max-width: 11rem; }
thead th[colspan] { text-align: center; max-width: none; }
.number, thead th.number { text-align: right; white-space: nowrap; }
.many { font-size: .82rem; } .many th, .many td { padding: .2rem .4rem; }
.many .number { white-space: normal; max-width: 4.2rem; }
.ours { background: #eef6ff; }
.facts th { font-weight: 400; color: #475569; min-width: 6rem; max-width: 11rem; }
.facts td { overflow-wrap: anywhere; }
.notes { font-size: .85rem; color: #334155; max-width: 75rem; padding-left: 1.4rem; overflow-wrap: anywhere; }
.small { font-size: .85rem; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(25rem, 1fr)); gap: 0 2.5rem; }
code, pre { font: .85em/1.4 "DejaVu Sans Mono", monospace; }
pre { background: #f8fafc; padding: .8rem; overflow-x: auto; }
details { border-top: 1px solid #e2e8f0; padding: .4rem 0; } details details { border: 0; }
summary { cursor: pointer; } .anchor { scroll-margin-top: 4rem; }
"""
LINE = "\n"


class Markup(str):
    """Text that is HTML already."""


def marked(text: object) -> Markup:
    """Text as HTML that shows the same, the paper's symbols (`w_ll`, `r_un`) with an index."""
    if isinstance(text, Markup):
        return text
    return Markup(SYMBOL.sub(r"<i>\1</i><sub>\2</sub>", escape(str(text))))


def page(title: str, *blocks: str) -> str:
    """A whole page.

    Args:
        title: also its heading.
        blocks: HTML, as the other functions here return it.
    """
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    heading = f"<h1>{marked(title)}</h1>"
    return LINE.join(
        ["<!doctype html>", f'<html lang="en"><head>{head}</head><body>', heading, *blocks, "</body></html>", ""]
    )


def grid(labels: Sequence[tuple[str, ...]], rows: Sequence[Sequence[object]]) -> str:
    """A table. Equal neighbours of an upper level share one heading; what is ours has a colour.

    Args:
        labels: heading of each column, of one or more levels.
        rows: cells, text or Markup.
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(labels)
    are_numbers = [all(NUMERIC.match(str(cell)) for cell in column) and any(column) for column in columns]
    are_ours = [any(map(_is_ours, label)) for label in labels]
    heads = [f"<tr>{_heads(labels, level, are_numbers)}</tr>" for level in range(len(labels[0]))]
    body = []
    for row in rows:
        is_ours = any(map(_is_ours, row))
        cells = zip(row, are_numbers, are_ours, strict=True)
        body.append("".join(_cell("td", cell, number=number, ours=ours or is_ours) for cell, number, ours in cells))
    lines = ["<thead>", *heads, "</thead><tbody>", *(f"<tr>{row}</tr>" for row in body), "</tbody>"]
    many = ' class="many"' if len(labels) > WIDE else ""
    return f'<div class="wide"><table{many}>{LINE.join(lines)}</table></div>'


def facts(pairs: Mapping[str, object]) -> str:
    """What is known of one thing, a line for each; empty ones are left out."""
    lines = [
        f"<tr><th>{marked(name)}</th><td>{marked(value)}</td></tr>"
        for name, value in pairs.items()
        if value is not None and value != ""
    ]
    return f'<table class="facts small">{"".join(lines)}</table>'


def bullets(notes: Iterable[str]) -> str:
    """Notes, one below the other."""
    return _list("ul", notes)


def numbered(notes: Iterable[str]) -> str:
    """Notes that the page refers to by their number."""
    return _list("ol", notes)


def folded(summary: str, *blocks: str) -> str:
    """Blocks that open with a click on the summary, or with a link to something in them."""
    return f"<details><summary>{marked(summary)}</summary>{LINE.join(blocks)}</details>"


def listing(text: str) -> str:
    """Text as it stands, line for line."""
    return f"<pre>{escape(text)}</pre>"


def _heads(labels: Sequence[tuple[str, ...]], level: int, are_numbers: Sequence[bool]) -> str:
    """One row of headings; a heading never spans over the end of one that stands above it."""
    if level + 1 == len(labels[0]):
        marks = zip(labels, are_numbers, strict=True)
        return "".join(_cell("th", label[-1], number=number, ours=_is_ours(label[-1])) for label, number in marks)
    groups = [list(group) for _, group in groupby(labels, key=lambda label: label[: level + 1])]
    return "".join(_cell("th", group[0][level], len(group), ours=_is_ours(group[0][level])) for group in groups)


def _is_ours(text: object) -> bool:
    return str(text).startswith("ours")


def _cell(tag: str, text: object, width: int = 1, **kinds: bool) -> str:
    """One cell; an error stays in the line of its sign."""
    classes = " ".join(name for name, holds in kinds.items() if holds)
    attributes = (f' class="{classes}"' if classes else "") + (f' colspan="{width}"' if width > 1 else "")
    content = marked(text).replace("± ", "±&nbsp;").replace("≤ ", "≤&nbsp;")
    return f"<{tag}{attributes}>{content}</{tag}>"


def _list(tag: str, notes: Iterable[str]) -> str:
    items = "".join(f"<li>{marked(note)}</li>" for note in notes)
    return f'<{tag} class="notes">{items}</{tag}>' if items else ""
