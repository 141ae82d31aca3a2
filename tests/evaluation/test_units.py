from __future__ import annotations

import math

import pytest
import torch

from lsgm.evaluation import bits_per_dim, standard_error


def test_bits_per_dim():
    assert bits_per_dim(3072 * math.log(2) * 2.1, (3, 32, 32)) == pytest.approx(2.1)
    assert bits_per_dim(784 * math.log(2), (1, 28, 28)) == pytest.approx(1)


def test_standard_error():
    values = torch.tensor([1.0, 2.0, 4.0, 9.0])
    assert standard_error(values) == pytest.approx(math.sqrt((9 + 4 + 0 + 25) / 3) / 2)
    assert math.isnan(standard_error(torch.ones(1)))
