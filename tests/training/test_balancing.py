from __future__ import annotations

import torch

from lsgm.objective import balancing_coefficients, group_sizes


def test_sizes_of_three_scales():
    shapes = [(20, 8, 8)] * 2 + [(20, 16, 16)] * 2 + [(20, 32, 32)] * 2
    assert group_sizes(shapes) == [1, 1, 4, 4, 16, 16]


def test_sizes_count_the_groups_of_a_scale():
    assert group_sizes([(4, 2, 2), (4, 4, 4), (4, 4, 4)]) == [1, 2, 2]


def test_coefficients():
    kl = torch.tensor([[1.99, -3.99], [-1.99, 3.99]], requires_grad=True)
    gamma = balancing_coefficients(kl, torch.tensor([1.0, 4.0]))
    torch.testing.assert_close(gamma, torch.tensor([2.0, 1.0]) / 1.5)
    assert not gamma.requires_grad
