"""The tables of the report, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .comparison import TOLERANCES, Outcome
from .departures import DEPARTURES, default_of
from .registry import CASES, EXCLUSIONS, cases_of
from .vectors import Vectors

PRECISIONS = {"f64": "float64", "held": "float64 held as float32", "f32": "float32", "method": "method"}


def files_table(files: Sequence[Vectors], outcomes: Sequence[Outcome]) -> str:
    """One row for each file."""
    rows = []
    for vectors in files:
        own = [outcome for outcome in outcomes if outcome.case.file == vectors.file]
        switches = _code(switch for case in cases_of(vectors.file) for switch in case.switches)
        compared = len({outcome.name for outcome in own})
        rows.append((f"`{vectors.file}`", len(vectors.values), compared, *_by_precision(own), switches))
    return _table(("file", "values", "compared", *PRECISIONS.values(), "parity switches"), rows)


def cases_table(outcomes: Sequence[Outcome]) -> str:
    """One row for each comparison."""
    rows = []
    for case in CASES:
        own = [outcome for outcome in outcomes if outcome.case is case]
        equal = sum(outcome.precision == "exact" for outcome in own) or ""
        switches = _code(case.switches)
        rows.append((f"`{case.file}`", case.name, len(own), *_by_precision(own), equal, switches, case.note))
    return _table(("file", "what", "values", *PRECISIONS.values(), "equal", "parity switches", "remark"), rows)


def rounding_table(outcomes: Sequence[Outcome]) -> str:
    """One row for each file with published float32 arrays that are off."""
    off = [o for o in outcomes if o.precision == "f32" and (o.published or 0.0) > TOLERANCES["f32"]]
    rows = []
    for file in dict.fromkeys(outcome.case.file for outcome in off):
        own = [outcome for outcome in off if outcome.case.file == file]
        rows.append((f"`{file}`", len(own), *_worst(own)))
    return _table(("file", "arrays", "ours", "theirs"), rows)


def solver_table(outcomes: Sequence[Outcome], tolerances: Iterable[str]) -> str:
    """One row for each tolerance: errors of samples, then of likelihoods."""
    rows = []
    for tolerance in tolerances:
        names = (f"sample_tol{tolerance}__", f"nll_tol{tolerance}__")
        errors = [[o for o in outcomes if o.published is not None and name in o.name] for name in names]
        rows.append((tolerance, *_worst(errors[0]), *_worst(errors[1])))
    header = ("tolerance", "samples, ours", "samples, theirs", "likelihoods, ours", "likelihoods, theirs")
    return _table(header, rows)


def exclusions_table(files: Sequence[Vectors]) -> str:
    """One row for each reason."""
    rows = []
    for exclusion in EXCLUSIONS:
        claimed = [(v.file, name) for v in files for name in v.values if exclusion.claims(v.file, name)]
        rows.append((_code(file for file, _ in claimed), f"`{exclusion.keys}`", len(claimed), exclusion.reason))
    return _table(("files", "values", "number", "reason"), rows)


def switches_table() -> str:
    """One row for each departure."""
    rows = []
    for departure in DEPARTURES:
        switches = ", ".join(f"`{switch}` ({str(default_of(switch)).lower()})" for switch in departure.switches)
        tests = _code(f"tests/{test}" for test in departure.tests)
        rows.append((departure.items, departure.what, switches or "none", tests))
    return _table(("item", "the published code", "our switch (default)", "tested in"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _code(names: Iterable[str]) -> str:
    """Names as code, each once."""
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))


def _by_precision(outcomes: Iterable[Outcome]) -> list[str]:
    """Largest deviation of each kind."""
    found = {precision: [] for precision in (*PRECISIONS, "exact")}
    for outcome in outcomes:
        found[outcome.precision].append(outcome.deviation)
    return [f"{max(found[precision]):.1e}" if found[precision] else "" for precision in PRECISIONS]


def _worst(outcomes: Sequence[Outcome]) -> tuple[str, str]:
    """Largest deviation of ours and of the published values."""
    if not outcomes:
        return "", ""
    return f"{max(o.deviation for o in outcomes):.1e}", f"{max(o.published for o in outcomes):.1e}"
