"""What stands below Table 6 on the ordering of its cells: whether the paper's holds, and which trainings diverged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lsgm.reporting.columns.headings import data_heading, heading, seeds_words
from lsgm.reporting.columns.numbers import DIVERGED, our_number
from lsgm.reporting.paper.tables import Column, PaperTable
from lsgm.reporting.records.runs import Run

from .cell_spread import cell_spread
from .ordering import CONFIDENCE, ROUNDING, CellNumbers, Ordering, compare

MAX_NAMED = 3  # pairs that are named one by one


@dataclass(frozen=True)
class Measured:
    """What the numbers of a comparison share: on which data, at which scale, and what was measured."""

    column: Column
    data: str
    scale: str
    measure: str


def ordering_notes(paper: PaperTable, runs: list[Run]) -> list[str]:
    """One note on the ordering for each kind of number, then those on the trainings that diverged.

    Args:
        paper: Table 6.
        runs: ours, named by their cell. Cells on other data, of another scale, or measured in another way are not
            compared with one another.

    Returns:
        Nothing on a kind of number that fewer than two cells have on both sides.
    """
    groups = _groups(paper, runs)
    scales = {group.scale for group in groups}
    notes = []
    for group, cells in groups.items():
        found = compare(cells)
        if found.num_cells > 1:
            lead = f"Ordering by {group.measure}, {_where(group, scales)}: {_verdict(found)}"
            limits = _limits(group, paper, runs) if found.num_pairs else ""
            notes.append(f"{lead}{limits}. {_counts(found, cells)}{_spread(cells)}")
    return notes + _divergence_notes(groups, scales)


def _groups(paper: PaperTable, runs: list[Run]) -> dict[Measured, list[CellNumbers]]:
    printed = {entry.cell: entry for entry in paper.cells}
    groups: dict[Measured, list[CellNumbers]] = {}
    for column in paper.columns:
        for run in runs:
            title = heading(run, column, paper, runs)
            # Cells with another number of seeds stand in another column of the table; they are compared all the same.
            measure = title.measure.removesuffix(seeds_words(run))
            group = Measured(column, title.data, run.metrics.scale, measure)
            value = printed[run.name].number(column).value
            groups.setdefault(group, []).append(_numbers(run, column, paper, None if value == "n/a" else value))
    return groups


def _numbers(run: Run, column: Column, paper: PaperTable, printed: float | str | None) -> CellNumbers:
    number = our_number(run, column, paper)
    values = (number.value,) if number.spread is None else number.spread.values
    seeds = {seed.seed: value for seed, value in zip(run.seeds, values, strict=True) if value is not None}
    failed = int(number.text == DIVERGED) if number.spread is None else number.spread.num_diverged
    return CellNumbers(run.name, printed, seeds, failed)


def _where(group: Measured, scales: set[str]) -> str:
    return group.data + (f", scale {group.scale}" if len(scales) > 1 else "")


def _verdict(found: Ordering) -> str:
    if found.num_pairs == 0:
        return "the paper's numbers differ by no more than their rounding, so there is no ordering to compare with"
    decided = found.num_pairs - found.undecided
    if decided == 0:
        return "whether the paper's ordering holds is not decided"
    if found.alike and found.opposite:
        return "the paper's ordering holds in part"
    where = " where ours is decided" if found.undecided else ""
    return f"the paper's ordering {'holds' if found.alike else 'does not hold'}{where}"


def _limits(group: Measured, paper: PaperTable, runs: list[Run]) -> str:
    """Why the two orderings need not agree; nothing for runs on the paper's data, at its size, measured as there."""
    own = [run.metrics for run in runs]
    own = [one for one in own if (data_heading(one, paper), one.scale) == (group.data, group.scale)]
    parts = []
    if any(metrics.data.name != paper.data for metrics in own):
        parts.append("on other data")
    if any(metrics.scaled_down is not None for metrics in own):
        parts.append("of runs that are scaled down")
    if group.column == "fid" and group.measure != paper.columns["fid"]:
        is_fid = group.measure.startswith(f"{paper.columns['fid']} (")
        parts.append("by an FID that is measured in another way" if is_fid else "by another distance than the FID")
    return f" (ours is the ordering {', '.join(parts)})" if parts else ""


def _counts(found: Ordering, cells: Sequence[CellNumbers]) -> str:
    every = found.num_pairs + found.ties
    text = f"Pairs of cells with a number on both sides: {every}; apart in the paper by more than its rounding "
    text += f"({ROUNDING:g}): {found.num_pairs}"
    if found.num_pairs:
        named = "; ".join(" below ".join(pair) for pair in found.opposite)
        shown = f" ({named})" if 0 < len(found.opposite) <= MAX_NAMED else ""
        text += f"; of these ordered alike: {found.alike}, the other way round: {len(found.opposite)}{shown}, "
        text += f"undecided: {found.undecided}{_without_spread(found)}"
    text += ". "
    if found.without_spread < found.num_pairs:
        text += f"Decided is what lies beyond the {CONFIDENCE:.0%} interval of Student's t, for the differences over "
        text += f"{_seed_counts(cells)} (of the same seeds, where both cells have them); each pair by itself, so about "
        text += f"{1 - CONFIDENCE:.0%} of the pairs without a difference would be decided by chance. "
    if found.tau is None:
        return text.rstrip()
    return text + f"Kendall's tau-b of the paper's numbers and ours: {found.tau:.2f} ({found.num_cells} cells)."


def _without_spread(found: Ordering) -> str:
    if not found.without_spread:
        return ""
    some = "" if found.without_spread == found.undecided else f"{found.without_spread} of them "
    return f" ({some}for want of a second seed: one has no spread)"


def _seed_counts(cells: Sequence[CellNumbers]) -> str:
    counts = sorted({len(cell.seeds) for cell in cells if cell.has_both and len(cell.seeds) > 1})
    return " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1]))) + " seeds"


def _spread(cells: Sequence[CellNumbers]) -> str:
    """Whether our cells differ at all, also those that have no number in the paper."""
    found = cell_spread(cells)
    if found is None:
        return ""
    text = f" That our {found.num_cells} cells do not differ at all: p = {found.p_value:.2g} (F test). Taken as the "
    text += (
        f"same for all of them, the standard deviation over {found.num_seeds} seeds is {found.deviation:.2g} beside "
    )
    text += f"what a seed does to every cell ({found.freedom} degrees of freedom); two cells then differ, each pair "
    return text + f"by itself, if their means are further apart than {found.least_difference:.2g} ({CONFIDENCE:.0%})."


def _divergence_notes(groups: dict[Measured, list[CellNumbers]], scales: set[str]) -> list[str]:
    """One note for each distinct account of the cells that diverged, with what it holds for."""
    found: dict[tuple[str, str], list[str]] = {}
    measures: dict[str, list[str]] = {}
    for group, cells in groups.items():
        where = _where(group, scales)
        measures.setdefault(where, []).append(group.measure)
        text = _divergences(cells)
        if text:
            found.setdefault((where, text), []).append(group.measure)
    return [
        f"Divergence{'' if named == measures[where] else f' ({_joined(named)})'}, {where}: {text}."
        for (where, text), named in found.items()
    ]


def _divergences(cells: Sequence[CellNumbers]) -> str:
    """Cells for which the paper or we have no number since the training diverged; nothing if there are none."""
    trained = [_name(cell) for cell in cells if cell.paper == DIVERGED and cell.seeds]
    both = [_name(cell) for cell in cells if cell.paper == DIVERGED and not cell.seeds and cell.num_diverged]
    ours = [_name(cell) for cell in cells if isinstance(cell.paper, float) and cell.num_diverged]
    parts = [
        ("the paper reports NaN, ours trained", trained),
        ("ours diverged, the paper has a number", ours),
        ("NaN on both sides", both),
    ]
    return "; ".join(f"{what}: {_joined(names)}" for what, names in parts if names)


def _name(cell: CellNumbers) -> str:
    num_seeds = len(cell.seeds) + cell.num_diverged
    is_mixed = cell.seeds and cell.num_diverged
    return cell.name + (f" ({cell.num_diverged} of {num_seeds} seeds diverged)" if is_mixed else "")


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names)
