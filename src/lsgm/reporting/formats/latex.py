"""LaTeX: a `table` environment with booktabs rules and the notes in small type below."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

HEADER_WIDTH = 18  # characters per line of a column's heading
LONGEST_LINE = 24  # characters of a text column that is not broken
WIDE = 10  # columns; tables with more break text earlier and print what follows a number below it
WIDE_LINE = 17
NUMBER_LINE = 9  # of what follows the number

REPLACEMENTS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "≤": r"$\leq$",
    "±": r"$\pm$",
    "\u00d7": r"$\times$",
    "²": r"$^2$",
    "\u2013": "--",
    "\u2014": "---",
    "\u2018": "`",
    "\u2019": "'",
}
ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u0327": "c", "\u030c": "v"}

# Cells of a column that is aligned to the right.
NUMERIC = re.compile(r"$|-$|NaN|n/a|(≤ )?[0-9.]+($| ±| \()")

NUMBER_AND_MORE = re.compile(r"((?:≤ )?[0-9.]+) ((?:±|\().*)")

# The paper's symbols: weightings w_ll, w_un, w_re and time densities r_ll, r_un, r_re, and t_SGM, t_q of Table 6.
SYMBOL = re.compile(r"\b([wrt])_(ll|un|re|q|SGM)\b")


def latex_escape(text: str) -> str:
    """Text as LaTeX source that prints the same: special characters escaped, the paper's symbols in mathematics.

    Characters that plain LaTeX has no letter for appear as their code point, `[U+4E2D]`.
    """
    parts, end = [], 0
    for found in SYMBOL.finditer(text):
        parts.append("".join(map(_character, text[end : found.start()])))
        parts.append(rf"${found[1]}_{{\mathrm{{{found[2]}}}}}$")
        end = found.end()
    parts.append("".join(map(_character, text[end:])))
    return "".join(parts)


def latex_table(
    caption: str, label: str, display: DataFrame, notes: Sequence[str], run_notes: Sequence[str] = ()
) -> str:
    """Render a table.

    Args:
        caption: number and title.
        label: for `\\ref`.
        display: text cells, column labels of one or more levels; equal neighbours of a level share one heading.
        notes: paragraphs below the table.
        run_notes: numbered paragraphs below them.

    Returns:
        Source that needs `\\usepackage{booktabs}` and nothing else.
    """
    import pandas as pd

    texts = [[str(cell) for cell in row] for row in display.to_numpy().tolist()]
    columns = [[row[place] for row in texts] for place in range(display.shape[1])]
    is_wide = len(columns) > WIDE
    headings = pd.MultiIndex.from_tuples([tuple(_heading(part) for part in label) for label in display.columns])
    shown = pd.DataFrame([[_cell(text, is_wide) for text in row] for row in texts], columns=headings, dtype=object)
    alignment = "".join("r" if all(map(NUMERIC.match, column)) else "l" for column in columns)
    body = shown.to_latex(index=False, escape=False, column_format=alignment, multicolumn_format="c")
    numbered = [rf"[{number}] {latex_escape(note)}" for number, note in enumerate(run_notes, start=1)]
    paragraphs = "\n\n".join([latex_escape(note) for note in notes] + numbered)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex_escape(caption)}}}",
            rf"\label{{{label}}}",
            r"\scriptsize",
            r"\setlength{\tabcolsep}{2pt}",
            r"\makebox[\linewidth]{%",
            body.rstrip("\n") + "}",
            r"\par\medskip",
            r"\begin{minipage}{\linewidth}",
            r"\tiny\raggedright\sloppy",
            paragraphs,
            r"\end{minipage}",
            r"\end{table}",
            "",
        ]
    )


def _heading(text: str) -> str:
    return _stack(textwrap.wrap(text, HEADER_WIDTH), "[b]{@{}c@{}}")


def _cell(text: str, is_wide: bool) -> str:
    """Long text in lines; in tables of many columns, an error and remarks below their number."""
    number = NUMBER_AND_MORE.fullmatch(text) if is_wide else None
    if number is not None:
        return _stack([number[1], *textwrap.wrap(number[2], NUMBER_LINE)], "[t]{@{}r@{}}")
    return _stack(textwrap.wrap(text, WIDE_LINE if is_wide else LONGEST_LINE), "[t]{@{}l@{}}")


def _stack(lines: list[str], layout: str) -> str:
    escaped = [latex_escape(line) for line in lines]
    if len(escaped) < 2:
        return "".join(escaped)
    # The empty group keeps a line that begins with [ from being read as the argument of the line break.
    return rf"\begin{{tabular}}{layout}" + r" \\{} ".join(escaped) + r"\end{tabular}"


def _character(character: str) -> str:
    if character in REPLACEMENTS:
        return REPLACEMENTS[character]
    if character.isascii():
        return character
    base, *marks = unicodedata.normalize("NFD", character)
    if len(marks) == 1 and marks[0] in ACCENTS and base.isascii():
        return rf"\{ACCENTS[marks[0]]}{{{base}}}"
    return f"[U+{ord(character):04X}]"
