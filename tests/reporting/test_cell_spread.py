"""Spread over seeds of all cells together: worked out by hand, and against scipy's t test where that knows the case."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lsgm.reporting.notes.cell_spread import cell_spread
from lsgm.reporting.notes.ordering import CellNumbers

PAPER = 1.0


def cells(rows, first_seed=1):
    return [CellNumbers(str(n), PAPER, dict(enumerate(row, start=first_seed))) for n, row in enumerate(rows)]


def test_by_hand():
    """Cell means -1, 0, 1 and a rest of 1, -1 / -1, 1 / 0, 0 over two seeds, which themselves do nothing."""
    found = cell_spread(cells([(0.0, -2.0), (-1.0, 1.0), (1.0, 1.0)]))
    assert (found.num_cells, found.num_seeds, found.freedom) == (3, 2, 2)
    assert found.deviation == pytest.approx(math.sqrt(4 / 2))
    assert found.p_value == pytest.approx(1 / (1 + 1))  # F = 2 * 2 / 2 / 2 = 1; with 2 and 2 degrees: 1 / (1 + F)
    assert found.least_difference == pytest.approx(4.302652729911275 * math.sqrt(2))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_of_two_cells_it_is_the_paired_t_test(seed, count):
    one, other = np.random.default_rng(seed).normal(size=(2, count))
    assert cell_spread(cells([one, other])).p_value == pytest.approx(stats.ttest_rel(one, other).pvalue)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.integers(2, 5))
def test_the_least_difference_is_the_largest_that_the_t_test_leaves_open(seed, count, seeds):
    """Of two cells it is where the paired t test has p = 0.05; what a seed does to all cells changes nothing."""
    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=(count, seeds))
    found, moved = cell_spread(cells(numbers)), cell_spread(cells(numbers + 100 * generator.normal(size=seeds)))
    assert (moved.deviation, moved.p_value) == (pytest.approx(found.deviation), pytest.approx(found.p_value))
    if count == 2:
        one, other = numbers - numbers.mean(axis=1, keepdims=True)
        at_the_edge = stats.ttest_rel(one + found.least_difference, other).pvalue
        assert at_the_edge == pytest.approx(0.05)


def test_the_p_value_is_uniform_where_no_cell_differs_and_small_where_one_does():
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(2000, 10, 3)) + 5 * generator.normal(size=(2000, 1, 3))
    values = [cell_spread(cells(numbers)).p_value for numbers in noise]
    assert stats.kstest(values, "uniform").pvalue > 0.01
    noise[:, 0] += 5
    assert max(cell_spread(cells(numbers)).p_value for numbers in noise[:200]) < 0.05


def test_only_seeds_that_all_cells_have_count():
    found = cell_spread(
        [
            *cells([(0.0, -2.0, 1e9), (-1.0, 1.0)]),
            *cells([(-1e9, 1.0, 1.0)], first_seed=0),
            CellNumbers("diverged", PAPER, {}, num_diverged=3),
        ]
    )
    assert found == cell_spread(cells([(0.0, -2.0), (-1.0, 1.0), (1.0, 1.0)]))


@pytest.mark.parametrize("rows", [[], [(1.0, 2.0)], [(1.0,), (2.0,)], [(1.0, 1.0), (1.0, 1.0)]])
def test_nothing_is_said_without_a_spread(rows):
    assert cell_spread(cells(rows)) is None


def test_cells_that_differ_without_any_spread():
    found = cell_spread(cells([(1.0, 2.0), (3.0, 4.0)]))
    assert (found.p_value, found.least_difference) == (0.0, 0.0)
