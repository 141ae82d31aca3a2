"""`python -m parity.report --out docs/parity.md`: how far our numbers are from the published code's."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import torch

from .cases_ode import SAMPLES
from .comparison import Outcome, compare
from .registry import CASES
from .report_tables import (
    cases_table,
    exclusions_table,
    files_table,
    rounding_table,
    solver_table,
    switches_table,
)
from .vectors import Vectors, files_of, reference_folder

INTRODUCTION = """\
# Parity with the published code

The reference vectors are numbers that the authors' published code gives on a CPU with its mathematics unchanged:
inputs, outputs, and the weights of the networks that were used. They are not in this repository. `make parity`
computes ours and writes this file; `make test` compares them. Both look for the vectors in the folder
`LSGM_REFERENCE`; without it the tests are skipped and say so. `python -m parity.report --out FILE --arrays CSV`, with
`tests` on the path, also writes the deviation of every single array.

The deviation of an array is the largest |ours - theirs| / s over its elements. s is the largest |theirs| of the
array, since sums that come out near zero have no digits of their own. For functions of time, whose values span many
decades, s is each element's own |theirs| (at least 1e-6 in float64 and 1e-2 in float32). Of a gradient the norm and
the largest element are relative to the norm, and the sum of n elements to sqrt(n) times the norm; a norm below 1e-6
(float32: 1e-3) of that of the whole network counts as if it were that, because biases before a batch norm have no
gradient but rounding. Elements that are not finite in the vectors are left out.

Allowed are 1e-9 in float64, 1e-7 for float64 results that the vectors hold as float32, and 1e-5 in float32. Where
rounding has moved the published float32 array away from its float64 twin by more than a third of 1e-5, ours in float32
is compared with the twin, and may be three times as far from it as theirs. Counts, names and shapes are equal. Under
`method` stands what a numerical method limits and not rounding: adaptive solvers, and means over a grid.
"""
FILES = "## Files\n\nLargest deviation of all arrays and numbers of a file.\n"
SWITCHES = """\
## Parity switches

Where the published code departs from the mathematics ours does what the paper says, unless the switch is
on. What a step of algorithm 2 does is not in the vectors; its gradients are tested against the losses written out, in
`tests/training/test_algorithms.py`.
"""
ROUNDING = """\
## Where the published float32 is off

Arrays whose published float32 values are further than 1e-5 from the same code run in float64, and how far ours in
float32 are from it. Ours keep their digits where a variance or its complement is small. No code can where the input is
a rounded number that no longer has them, as in times found from float32 variances (`inv_var_of_var`) and g^2 at
float32 times near 1.
"""
SOLVERS = """\
## Solvers

Gaussian data, for which the flow and the likelihood have closed forms. Ours is the Dormand-Prince pair with float64
states, theirs SciPy's; with one tolerance they take other steps, so that the results differ by about the error of
either. Samples are drawn with one error norm for the batch, as theirs; likelihoods are solved each by itself. What
agrees to rounding is the closed form; what the solvers show is that both approach it, with errors of one order at each
tolerance (allowed is ten times the published error of the same array, at 1e-2, where a run is two or three steps, 25
times), and that they call the right-hand side equally often but for two steps. Largest deviation from the closed form
over four SDEs, three cut-offs, and both the plain and the mixed score:
"""
COMPARISONS = "## Comparisons\n\nEvery value of a file is in one of these, or in the list of what is not compared.\n"
EXCLUDED = "## Not compared\n"
WEIGHTS = "The state dicts `f_*_state.pt` are inputs: loading them is strict about names and shapes.\n"


def report(files: Sequence[Vectors], outcomes: Sequence[Outcome]) -> str:
    """The whole file."""
    wrong = [outcome for outcome in outcomes if not outcome.agrees]
    verdict = f"{len(outcomes)} comparisons with torch {torch.__version__}; outside what is allowed: {len(wrong)}.\n"
    verdict += "".join(f"- {outcome.case}: `{outcome.name}`, {outcome.deviation:.1e}\n" for outcome in wrong)
    parts = (
        *(INTRODUCTION, verdict, FILES, files_table(files, outcomes), SWITCHES, switches_table()),
        *(ROUNDING, rounding_table(outcomes), SOLVERS, solver_table(outcomes, SAMPLES)),
        *(COMPARISONS, cases_table(outcomes), EXCLUDED, exclusions_table(files), WEIGHTS),
    )
    return "\n".join(parts)


def main() -> None:
    """Run all comparisons and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, default=reference_folder(), help="folder of the vectors")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--arrays", type=Path, help="csv file to write, one line for each compared value")
    arguments = parser.parse_args()
    if not arguments.reference.is_dir():
        parser.error(f"no folder {arguments.reference}: set LSGM_REFERENCE to that of the reference vectors")
    torch.set_num_threads(1)
    files = {file: Vectors(arguments.reference, file) for file in files_of(arguments.reference)}
    outcomes = [outcome for case in CASES for outcome in compare(case, files[case.file])]
    arguments.out.write_text(report(list(files.values()), outcomes))
    if arguments.arrays:
        _write_arrays(arguments.arrays, outcomes)


def _write_arrays(path: Path, outcomes: Sequence[Outcome]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "comparison", "value", "precision", "deviation", "allowed"))
        for outcome in outcomes:
            numbers = (f"{outcome.deviation:.3g}", f"{outcome.tolerance:.3g}")
            writer.writerow((outcome.case.file, outcome.case.name, outcome.name, outcome.precision, *numbers))


if __name__ == "__main__":
    main()
