"""Every value of the reference vectors: compared with ours, or listed with the reason why not.

What is compared is data (`parity.registry`), so that gaps are found whatever part of the suite runs.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from parity.case import Case
from parity.comparison import compare
from parity.departures import DEPARTURES, switches_of_the_settings
from parity.registry import CASES, EXCLUSIONS, contradictory, uncovered
from parity.vectors import Vectors, files_of

TESTS = Path(__file__).parents[1]
REPORT = TESTS.parent / "docs" / "parity.md"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_the_published_code(reference: Path, case: Case) -> None:
    outcomes = compare(case, Vectors(reference, case.file))
    failures = [outcome for outcome in outcomes if not outcome.agrees]
    lines = [f"{outcome.name}: {outcome.deviation:.3g} > {outcome.tolerance:.3g}" for outcome in failures]
    assert not failures, "\n".join(lines[:20])


def test_every_value_is_compared_or_excluded_with_a_reason(reference: Path) -> None:
    files = [Vectors(reference, file) for file in files_of(reference)]
    assert {vectors.file: uncovered(vectors) for vectors in files if uncovered(vectors)} == {}
    assert {vectors.file: contradictory(vectors) for vectors in files if contradictory(vectors)} == {}
    assert {case.file for case in CASES} <= {vectors.file for vectors in files}
    for exclusion in EXCLUSIONS:
        assert any(exclusion.claims(vectors.file, name) for vectors in files for name in vectors.values), exclusion


def test_every_tensor_of_the_weight_files_reaches_a_network(reference: Path) -> None:
    """The state dicts are inputs: loading is strict about names that are missing or left over."""
    loaded = {f"{file}_{part}_state.pt" for file in ("f_mnist", "f_cifar10", "f_cifar10_nf") for part in ("vae", "sgm")}
    assert {path.name for path in reference.glob("*.pt")} == loaded


def test_every_parity_switch_is_in_the_report() -> None:
    assert {switch for departure in DEPARTURES for switch in departure.switches} == switches_of_the_settings()
    assert {switch for case in CASES for switch in case.switches} <= switches_of_the_settings()
    for departure in DEPARTURES:
        assert departure.tests or not departure.switches
        assert all((TESTS / test).is_file() for test in departure.tests)


def test_report_in_docs_is_of_these_comparisons() -> None:
    text = REPORT.read_text().replace("\\|", "|")
    for expected in (*(case.name for case in CASES), *(exclusion.reason for exclusion in EXCLUSIONS)):
        assert f"| {expected} |" in text, "run `make parity`"
    for departure in DEPARTURES:
        assert f"| {departure.items} | {departure.what} |" in text, "run `make parity`"
