from __future__ import annotations

import math

import pytest
import torch

from lsgm.evaluation import bits_per_dim, mean_over_processes, standard_error


def test_bits_per_dim():
    assert bits_per_dim(3072 * math.log(2) * 2.1, (3, 32, 32)) == pytest.approx(2.1)
    assert bits_per_dim(784 * math.log(2), (1, 28, 28)) == pytest.approx(1)


def test_standard_error():
    values = torch.tensor([1.0, 2.0, 4.0, 9.0])
    assert standard_error(values) == pytest.approx(math.sqrt((9 + 4 + 0 + 25) / 3) / 2)
    assert math.isnan(standard_error(torch.ones(1)))


@pytest.mark.parametrize("count, processes, twice", [(5, 1, 0), (5, 5, 0), (5, 2, 1), (5, 4, 3), (8070, 16, 10)])
def test_mean_over_processes_counts_the_first_images_again(count, processes, twice):
    values = torch.arange(1, count + 1, dtype=torch.float64) ** 2
    expected = (values.sum() + values[:twice].sum()) / (count + twice)
    assert mean_over_processes(values, processes) == pytest.approx(expected.item(), rel=1e-12)
    # The same from the processes' own means: every one has every n-th image.
    padded = torch.cat([values, values[:twice]])
    means = [padded[rank::processes].mean() for rank in range(processes)]
    assert mean_over_processes(values, processes) == pytest.approx(float(sum(means)) / processes, rel=1e-12)


def test_more_processes_than_images():
    assert mean_over_processes(torch.tensor([1.0, 4.0]), 5) == pytest.approx((3 * 1 + 2 * 4) / 5)
