from __future__ import annotations

import pytest
import torch

from lsgm.evaluation import FreshProbes, draw_probes

SHAPE = (2, 3, 3)
CPU = torch.device("cpu")
KINDS = ("rademacher", "gaussian")


def fresh(indices, kind="rademacher", count=1, evaluations=8, seed=4, shape=SHAPE) -> FreshProbes:
    return FreshProbes(indices, shape, kind, count, evaluations, seed, CPU)


@pytest.mark.parametrize("kind", KINDS)
def test_fixed_probes_belong_to_samples(kind):
    all_rows = draw_probes(range(6), SHAPE, kind, 2, seed=4)
    some_rows = draw_probes([5, 2], SHAPE, kind, 1, seed=4)
    assert torch.equal(some_rows[0], all_rows[0][[5, 2]])
    assert not torch.equal(all_rows[0], all_rows[1])
    assert not torch.equal(all_rows[0], draw_probes(range(6), SHAPE, kind, 1, seed=5)[0])
    if kind == "rademacher":
        assert torch.equal(all_rows[0].abs(), torch.ones(6, *SHAPE))
    many = draw_probes(range(2000), (1, 1, 1), kind, 1, seed=4)[0].flatten()
    assert many.mean().abs() < 0.1 and many.var().item() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_fresh_probes_belong_to_sample_probe_number_and_evaluation(kind):
    whole = fresh(range(6), kind, count=3)
    some = fresh([5, 2], kind, count=2, evaluations=30)
    seen = []
    for evaluation in range(8):
        probes = whole(evaluation)
        assert probes.shape == (3, 6, *SHAPE) and probes.dtype == torch.float64
        assert torch.equal(some(evaluation), probes[:2, [5, 2]])
        seen.extend(probes.flatten(0, 1))
    assert all(not torch.equal(one, other) for place, one in enumerate(seen) for other in seen[:place])
    assert not torch.equal(fresh(range(6), kind, seed=5)(0), whole(0)[:1])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("evaluation", [0, 1, 7])
def test_covariance_of_fresh_probes_is_the_unit_matrix(kind, evaluation):
    count = 4000
    probes = fresh(range(count), kind, shape=(2, 2, 2))(evaluation)[0].flatten(1)
    covariance = probes.T @ probes / count
    assert probes.mean(dim=0).abs().max() < 5 / count**0.5
    assert (covariance - torch.eye(8)).abs().max() < 5 * 2**0.5 / count**0.5
    if kind == "rademacher":
        assert torch.equal(probes.abs(), torch.ones_like(probes))


def test_neighbours_cancel_over_a_block():
    """Over four evaluations n_i n_j sums to 0 for places of any channels that differ in row or column parity."""
    probes = fresh(range(5), count=2, evaluations=12)
    row, column = (part.flatten() % 2 for part in torch.meshgrid(torch.arange(3), torch.arange(3), indexing="ij"))
    kind = (2 * row + column).repeat(2)
    other = kind[:, None] != kind[None]
    for block in range(3):
        signs = torch.stack([probes(4 * block + place) for place in range(4)]).flatten(3)
        products = torch.einsum("epbi,epbj->pbij", signs, signs)
        assert torch.equal(products[:, :, other], torch.zeros_like(products[:, :, other]))
        assert torch.equal(products[:, :, ~other].abs(), torch.full_like(products[:, :, ~other], 4.0))
