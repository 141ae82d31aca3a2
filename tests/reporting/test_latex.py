"""LaTeX and Markdown: special characters print as they are, and the source has the shape that LaTeX wants."""

from __future__ import annotations

import re
import shutil
import subprocess

import pandas as pd
import pytest
from fake_metrics import STAND_IN, make_metrics, make_vae

from lsgm.reporting import build_table, write_table
from lsgm.reporting.formats.latex import latex_escape, latex_table
from lsgm.reporting.formats.markdown import markdown_table


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("50% of a_b & c#1 $5", r"50\% of a\_b \& c\#1 \$5"),
        (r"\x{y}~z^2", r"\textbackslash{}x\{y\}\textasciitilde{}z\textasciicircum{}2"),
        ("≤ 2.91 ± 0.01", r"$\leq$ 2.91 $\pm$ 0.01"),
        ("Fréchet, Gürel", r"Fr\'{e}chet, G\"{u}rel"),
        ("w_ll and r_un", r"$w_{\mathrm{ll}}$ and $r_{\mathrm{un}}$"),
        ("new_ll_file", r"new\_ll\_file"),
        ("中", "[U+4E2D]"),
    ],
)
def test_escape(text, source):
    assert latex_escape(text) == source


def awkward():
    columns = pd.MultiIndex.from_tuples([("", "na_me"), ("50% & more", "NLL (bits/dim)"), ("50% & more", "F#D")])
    return pd.DataFrame([["a & b [1]", "≤ 1.00", "-"], ["a long name of a method [2]", "NaN", "3"]], columns=columns)


def test_latex_source():
    source = latex_table("100% & more", "tab:x", awkward(), ["a_b"], ["first_run"])
    body = source[source.index(r"\midrule") : source.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if "&" in line]
    assert [len(re.findall(r"(?<!\\)&", line)) for line in rows] == [2, 2]
    braces = re.sub(r"\\\\|\\[{}]", "", source)  # neither line breaks nor printed braces
    assert braces.count("{") == braces.count("}")
    assert r"\multicolumn{2}{c}{50\% \& more}" in source
    assert r"\begin{tabular}{lrr}" in source
    assert r"a long name of a method \\{} [2]" in source
    assert source.isascii()


def test_markdown_source():
    text = markdown_table("50*", awkward(), ["a_b"], ["x|y"])
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in rows] == [4, 4, 4, 4]
    assert r"50% & more: F#D" in rows[0]
    assert "- a\\_b" in text
    assert "1. x\\|y" in text


@pytest.fixture
def tables(config, store, tmp_path):
    nats = {"nelbo__unit": "nats", **STAND_IN, "data__title": "digits_8x8 100%"}
    runs = {
        2: [make_metrics("cifar10_balanced"), make_vae("cifar10_vae1", **STAND_IN)],
        3: [],
        4: [make_metrics("omniglot", **nats)],
        5: [make_metrics("mnist", **nats)],
        6: [make_metrics("ablation", cell="vpsde-re-is-ll", **STAND_IN)],
    }
    for number, entries in runs.items():
        files = {run.cell or run.experiment: [store(run)] for run in entries}
        table = build_table(number, config / "paper" / f"table{number}.yaml", config / "ablation.csv", files)
        write_table(table, tmp_path / f"table{number}")
    return tmp_path


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles_with_booktabs(tables):
    inputs = "".join(rf"\input{{table{number}.tex}}\clearpage" + "\n" for number in (2, 3, 4, 5, 6))
    document = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n" + inputs + "\\end{document}\n"
    (tables / "all.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tables / "all.pdf").stat().st_size > 10_000


def test_wide_tables_print_what_follows_a_number_below_it():
    columns = pd.MultiIndex.from_tuples([("", f"c{place}") for place in range(11)])
    texts = ["≤ 3.05 ± 0.07 (1 of 3 diverged) [a]", "2.24 (2 of 3 diverged)", "n/a [a]", *["1.00"] * 8]
    body = latex_table("t", "l", pd.DataFrame([texts], columns=columns), [])
    assert r"$\leq$ 3.05 \\{} $\pm$ 0.07 (1 \\{} of 3 \\{} diverged) \\{} [a]\end{tabular}" in body
    assert r"2.24 \\{} (2 of 3 \\{} diverged)\end{tabular}" in body
    assert r" & n/a [a] & 1.00" in body
    assert r"\begin{tabular}{rrrrrrrrrrr}" in body
