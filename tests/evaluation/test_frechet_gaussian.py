"""Closed forms of the Fréchet distance, and agreement with an independent implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lsgm.evaluation.frechet import GaussianStatistics, averaged_statistics, gaussian_distance, gaussian_statistics
from lsgm.evaluation.frechet.torchvision_import import import_torchvision


def gaussian(mean, covariance) -> GaussianStatistics:
    return GaussianStatistics(torch.as_tensor(mean).double(), torch.as_tensor(covariance).double(), 1000)


def random_gaussian(dimension: int, seed: int, rank: int | None = None) -> GaussianStatistics:
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(dimension, rank or 2 * dimension, generator=generator, dtype=torch.float64)
    return gaussian(torch.randn(dimension, generator=generator, dtype=torch.float64), factor @ factor.T / dimension)


def test_diagonal_closed_form():
    m1, m2, s1, s2 = [1.0, -2.0, 0.5], [0.0, 1.0, 0.5], [4.0, 1.0, 0.25], [1.0, 9.0, 0.0]
    expected = sum((a - b) ** 2 for a, b in zip(m1, m2, strict=True))
    expected += sum((a**0.5 - b**0.5) ** 2 for a, b in zip(s1, s2, strict=True))
    found = gaussian_distance(gaussian(m1, torch.diag(torch.tensor(s1))), gaussian(m2, torch.diag(torch.tensor(s2))))
    assert found == pytest.approx(expected, rel=1e-12)


def test_scaled_covariance_closed_form():
    # C2 = a² C1 commutes with C1: tr(C1) (1 - a)²
    first = random_gaussian(7, 0)
    second = gaussian(first.mean, 2.25 * first.covariance)
    assert gaussian_distance(first, second) == pytest.approx(0.25 * float(first.covariance.trace()), rel=1e-12)


@pytest.mark.parametrize("rank", [None, 3])
def test_symmetric_and_zero_at_itself(rank):
    first, second = random_gaussian(9, 1, rank), random_gaussian(9, 2, rank)
    assert gaussian_distance(first, second) == pytest.approx(gaussian_distance(second, first), rel=1e-12)
    assert gaussian_distance(first, second) > 0.1
    assert gaussian_distance(first, first) == pytest.approx(0, abs=1e-11)


def test_rank_one_closed_form():
    # C_i = v_i v_iᵀ: tr (C1 C2)^½ = |v1·v2|
    v1, v2 = torch.tensor([3.0, 0.0, 4.0]).double(), torch.tensor([0.0, 2.0, 1.0]).double()
    first, second = gaussian(torch.zeros(3), torch.outer(v1, v1)), gaussian(torch.zeros(3), torch.outer(v2, v2))
    assert gaussian_distance(first, second) == pytest.approx(25 + 5 - 2 * 4, abs=1e-7)


def test_agrees_with_clean_fid():
    pytest.importorskip("cleanfid", reason="clean-fid is an extra")
    import_torchvision()
    from cleanfid.fid import frechet_distance

    first, second = random_gaussian(40, 3), random_gaussian(40, 4)
    theirs = frechet_distance(*(part.numpy() for s in (first, second) for part in (s.mean, s.covariance)))
    assert gaussian_distance(first, second) == pytest.approx(theirs, rel=1e-6)


def test_pooled_statistics_do_not_depend_on_batches():
    features = 1000 + torch.randn(101, 6, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    pooled = gaussian_statistics(features.split(7))
    np.testing.assert_allclose(pooled.covariance, np.cov(features.numpy(), rowvar=False), rtol=1e-9)
    np.testing.assert_allclose(pooled.mean, features.mean(0), rtol=1e-14)
    assert pooled.count == 101


def test_averaged_statistics():
    """The pooled scatter is that of the parts and that between their means; the average has the first alone."""
    features = torch.randn(101, 6, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    parts = [gaussian_statistics([part]) for part in features.tensor_split(3)]
    average, pooled = averaged_statistics(parts), gaussian_statistics([features])
    expected = sum(np.cov(part.numpy(), rowvar=False) for part in features.tensor_split(3)) / 3
    np.testing.assert_allclose(average.covariance, expected, rtol=1e-12)
    np.testing.assert_allclose(
        average.mean, (features[:34].mean(0) + features[34:68].mean(0) + features[68:].mean(0)) / 3
    )
    assert average.count == 101 and not torch.allclose(average.covariance, pooled.covariance, rtol=1e-3)
    alone = averaged_statistics([pooled])
    assert torch.equal(alone.mean, pooled.mean) and torch.equal(alone.covariance, pooled.covariance)


def test_not_finite_is_an_error():
    features = torch.ones(4, 3)
    features[2, 1] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        gaussian_statistics([features])
    good = random_gaussian(3, 6)
    with pytest.raises(ValueError, match="not finite"):
        gaussian_distance(good, gaussian(torch.full((3,), torch.inf), torch.eye(3)))
    with pytest.raises(ValueError, match="3 and 2 dimensions"):
        gaussian_distance(good, gaussian(torch.zeros(2), torch.eye(2)))
    with pytest.raises(ValueError, match="at least 2"):
        gaussian_statistics([torch.ones(1, 3)])
