"""Draws depend on their key and on nothing else."""

from __future__ import annotations

import torch

from lsgm import randomness


def test_same_key_same_numbers_whatever_was_drawn_before():
    first = randomness.normal((3,), 1, "noise", 7)
    torch.manual_seed(0)
    torch.rand(5)
    assert torch.equal(first, randomness.normal((3,), 1, "noise", 7))


def test_other_seed_purpose_or_index_other_numbers():
    draws = {
        tuple(randomness.normal((4,), *key).tolist())
        for key in [(1, "a", 0), (2, "a", 0), (1, "b", 0), (1, "a", 1), (1, "a", 0, 0), (1, "a")]
    }
    assert len(draws) == 6


def test_rows_do_not_depend_on_the_batch():
    rows = randomness.normal_rows([3, 4, 5], (2, 2), 1, "noise")
    assert torch.equal(rows[1], randomness.normal_rows([4], (2, 2), 1, "noise")[0])
    assert torch.equal(
        randomness.uniform_rows([9, 8], (3,), 1, "u").flip(0), randomness.uniform_rows([8, 9], (3,), 1, "u")
    )


def test_global_generator_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    randomness.permutation(10, 1, "order", 0)
    randomness.uniform((2,), 1, "u")
    assert torch.equal(torch.rand(1), expected)


def test_moments_and_permutation():
    values = randomness.normal_rows(range(2000), (10,), 5, "moments")
    assert abs(values.mean()) < 0.03
    assert abs(values.var() - 1) < 0.04
    assert sorted(randomness.permutation(50, 1, "order", 3).tolist()) == list(range(50))
