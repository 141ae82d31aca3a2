"""Markdown: a pipe table with the notes below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame


def markdown_table(caption: str, display: DataFrame, notes: Sequence[str], run_notes: Sequence[str]) -> str:
    """Render a table.

    Args:
        caption: number and title.
        display: text cells; labels of several levels are joined by `: `.
        notes: bullets below the table.
        run_notes: numbered list below them.
    """
    labels = [": ".join(part for part in label if part) for label in display.columns]
    rows = [labels, ["---"] * len(labels), *display.to_numpy().tolist()]
    lines = [f"**{_escape(caption)}**", ""]
    lines += ["| " + " | ".join(_escape(str(cell)) for cell in row) + " |" for row in rows]
    lines += ["", *(f"- {_escape(note)}" for note in notes)]
    if run_notes:
        lines += ["", *(f"{number}. {_escape(note)}" for number, note in enumerate(run_notes, start=1))]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Keep characters that Markdown would take for markup; a rule of dashes stays one."""
    if text == "---":
        return text
    for character in "\\`*_|<>":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.split())
