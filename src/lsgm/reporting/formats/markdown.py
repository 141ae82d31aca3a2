"""Markdown: a pipe table with the notes below it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame


def markdown_table(
    caption: str,
    display: DataFrame,
    notes: Sequence[str],
    run_notes: Sequence[str],
    links: Mapping[str, str] | None = None,
) -> str:
    """Render a table.

    Args:
        caption: number and title.
        display: text cells; labels of several levels are joined by `: `.
        notes: bullets below the table.
        run_notes: numbered list below them.
        links: text in the notes -> where it leads.
    """
    labels = [": ".join(part for part in label if part) for label in display.columns]
    rows = [labels, ["---"] * len(labels), *display.to_numpy().tolist()]
    lines = [f"**{_escape(caption)}**", ""]
    lines += ["| " + " | ".join(_escape(str(cell)) for cell in row) + " |" for row in rows]
    lines += ["", *(f"- {_linked(note, links or {})}" for note in notes)]
    if run_notes:
        lines += ["", *(f"{number}. {_linked(note, links or {})}" for number, note in enumerate(run_notes, start=1))]
    return "\n".join(lines) + "\n"


def _linked(text: str, links: Mapping[str, str]) -> str:
    """Escape a note and turn the words that are in `links` into links."""
    if not links:
        return _escape(text)
    words = "|".join(re.escape(word) for word in sorted(links, key=len, reverse=True))
    # Every second part is one of these words; a longer path that ends like one of them is not.
    parts = re.split(rf"(?<!\S)({words})(?![^\s,;.])", text)
    marked = [f"[{_mark(part)}]({links[part]})" if odd % 2 else _mark(part) for odd, part in enumerate(parts)]
    return " ".join("".join(marked).split())


def _escape(text: str) -> str:
    """Keep characters that Markdown would take for markup; a rule of dashes stays one."""
    return text if text == "---" else " ".join(_mark(text).split())


def _mark(text: str) -> str:
    for character in "\\`*_|<>":
        text = text.replace(character, f"\\{character}")
    return text
