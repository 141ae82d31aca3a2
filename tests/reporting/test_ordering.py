"""Pairs of cells: which differences count, which are decided, and that the counts are those worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsgm.reporting.notes.ordering import CellNumbers, compare, difference

T_2 = 4.302652729911275  # two-sided 95 % point of Student's t with 2 degrees of freedom, from a table


def cell(name, paper, *values, first_seed=1, **changes):
    return CellNumbers(name, paper, dict(enumerate(values, start=first_seed)), **changes)


def counts(found):
    return found.alike, len(found.opposite), found.undecided, found.ties


@pytest.mark.parametrize(
    ("papers", "ties"),
    [((2.97, 2.97), 1), ((2.97, 2.98), 1), ((2.99, 2.98), 1), ((2.99, 2.97), 0), ((8.0, 6.15), 0), ((3.03, 3.02), 1)],
)
def test_a_difference_within_the_papers_rounding_is_a_tie(papers, ties):
    found = compare([cell("a", papers[0], 1.0, 1.1, 1.2), cell("b", papers[1], 5.0, 5.1, 5.2)])
    assert (found.ties, found.num_pairs) == (ties, 1 - ties)


def test_counts_by_hand():
    cells = [
        cell("low", 1.0, 10.0, 10.1, 9.9),
        cell("high", 2.0, 11.0, 11.1, 10.9),  # 1 above `low` at each seed: alike
        cell("under", 3.0, 8.0, 8.1, 7.9),  # below both at each seed: the other way round, twice
        cell("wild", 4.0, 4.0, 16.0, 10.0),  # against each of them: a spread of 6 over the seeds, undecided three times
        cell("same", 3.01, 9.0, 9.1, 8.9),  # tie with `under`; the other way round to two; undecided against `wild`
    ]
    found = compare(cells)
    assert counts(found) == (1, 4, 4, 1)
    assert found.opposite == (("under", "low"), ("same", "low"), ("under", "high"), ("same", "high"))
    assert (found.num_cells, found.num_pairs, found.without_spread) == (5, 9, 0)


@pytest.mark.parametrize(("shift", "sign"), [(0.99, 0), (1.01, 1), (-0.99, 0), (-1.01, -1)])
def test_a_pair_is_decided_beyond_the_interval_of_student_t(shift, sign):
    """Differences over three seeds with standard deviation 1; two standard errors would be less than half of it."""
    middle = shift * T_2 / math.sqrt(3)
    found = difference({1: middle - 1, 2: middle, 3: middle + 1}, {1: 0.0, 2: 0.0, 3: 0.0})
    assert found.sign == sign


def test_the_same_seeds_are_compared_seed_by_seed():
    low, high = {1: 0.0, 2: 100.0, 3: 200.0}, {1: 2.0, 2: 102.5, 3: 201.5}
    paired = difference(low, high)
    assert (paired.mean, paired.stderr, paired.freedom) == (-2.0, pytest.approx(0.5 / math.sqrt(3)), 2)
    assert paired.sign == -1
    others = {seed + 10: value for seed, value in high.items()}
    assert difference(low, others).mean == pytest.approx(-2.0)
    assert difference(low, others).sign == 0, "the spread of the seeds themselves hides it"


def test_seeds_that_one_cell_lacks_are_left_out_of_the_difference():
    found = difference({1: 5.0, 2: 6.0, 3: 1e9}, {2: 2.0, 1: 1.0})
    assert (found.mean, found.stderr, found.freedom) == (4.0, 0.0, 1)


def test_independent_seeds_have_the_degrees_of_freedom_of_welch():
    found = difference({1: 0.0, 2: 2.0}, {3: 10.0, 4: 12.0, 5: 14.0})
    squares = 2 / 2, 4 / 3
    assert found.mean == -11.0
    assert found.stderr == pytest.approx(math.sqrt(sum(squares)))
    assert found.freedom == pytest.approx(sum(squares) ** 2 / (squares[0] ** 2 / 1 + squares[1] ** 2 / 2))
    assert difference({1: 3.0, 2: 3.0}, {3: 4.0, 4: 4.0}).sign == -1, "no spread at all"


@pytest.mark.parametrize("seeds", [({1: 1.0}, {1: 9.0}), ({1: 1.0}, {1: 9.0, 2: 9.1}), ({1: 1.0}, {2: 9.0, 3: 9.1})])
def test_a_single_seed_decides_nothing(seeds):
    assert difference(*seeds) is None
    found = compare([CellNumbers("a", 1.0, seeds[0]), CellNumbers("b", 2.0, seeds[1])])
    assert counts(found) == (0, 0, 1, 0)
    assert found.without_spread == 1


def test_equal_numbers_are_undecided():
    found = compare([cell("a", 1.0, 3.0, 3.1), cell("b", 2.0, 3.0, 3.1)])
    assert counts(found) == (0, 0, 1, 0)
    assert found.without_spread == 0 and found.tau is None


def test_cells_without_a_number_on_one_side_are_in_no_pair():
    cells = [
        cell("a", 1.0, 1.0, 1.1),
        cell("trained", "NaN", 2.0, 2.1),
        cell("diverged", 3.0, num_diverged=2),
        cell("absent", None, 2.0, 2.1),
    ]
    found = compare(cells)
    assert (found.num_cells, found.num_pairs, found.ties, found.tau) == (1, 0, 0, None)


@pytest.mark.parametrize(
    ("papers", "ours", "tau"),
    [
        ((1, 2, 3), (1, 2, 3), 1.0),
        ((1, 2, 3), (1, 3, 2), 1 / 3),
        ((1, 2, 3), (3, 2, 1), -1.0),
        ((1, 1, 2), (1, 2, 3), 2 / math.sqrt(2 * 3)),
        ((1, 1, 1), (1, 2, 3), None),
    ],
)
def test_kendalls_tau_b(papers, ours, tau):
    cells = [cell(f"{paper} {our}", float(paper), our, our) for paper, our in zip(papers, ours, strict=True)]
    assert compare(cells).tau == (None if tau is None else pytest.approx(tau))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(200, 400), st.lists(st.integers(-9, 9), min_size=3, max_size=3)), min_size=2, max_size=6
    )
)
def test_turned_round_the_other_way_round_is_alike(rows):
    cells = [cell(str(number), paper / 100, *map(float, ours)) for number, (paper, ours) in enumerate(rows)]
    turned = [CellNumbers(c.name, c.paper, {seed: -value for seed, value in c.seeds.items()}) for c in cells]
    here, there = compare(cells), compare(turned)
    assert counts(there) == (len(here.opposite), here.alike, here.undecided, here.ties)
    assert here.num_pairs + here.ties == len(rows) * (len(rows) - 1) // 2
