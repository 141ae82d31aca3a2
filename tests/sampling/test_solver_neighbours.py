"""A sample's path and cost are its own, whoever shares its batch."""

from __future__ import annotations

import pytest
import torch
from models.small_models import IMAGE_SHAPE, small_config
from sampling.solver_problems import Logged, decay, doubles
from torch.utils._python_dispatch import TorchDispatchMode
from toy_gaussian import GaussianPrior, sde_named

from lsgm.models import build_lsgm
from lsgm.randomness import normal, normal_rows
from lsgm.sampling import dopri5, integrate_each, solve_probability_flow
from lsgm.sde import SDES

SHAPE = (2, 3, 3)
RATES = doubles(0.3, 2.0, 11.0, 45.0)
STIFF = doubles(600.0)


def solved(rates: torch.Tensor, names: list[int]):
    """Solution and log of samples that are known by their names."""
    logged = Logged(decay)
    state = normal_rows(names, (5,), 1, "state").double()
    return integrate_each(logged, (state,), 1e-5, 1.0, 1e-5, (rates, torch.tensor(names))), logged


def test_a_stiff_neighbour_changes_neither_path_nor_cost():
    alone, quiet = solved(RATES, [0, 1, 2, 3])
    together, loud = solved(torch.cat([RATES[:2], STIFF, RATES[2:]]), [0, 1, 9, 2, 3])
    others = [0, 1, 3, 4]
    assert torch.equal(together.state[0][others], alone.state[0])
    assert together.evaluations[others].tolist() == alone.evaluations.tolist()
    assert {name: loud.times[name] for name in range(4)} == quiet.times
    assert together.evaluations[2] > 3 * alone.evaluations.max()
    assert together.calls == together.evaluations.max() == len(loud.sizes)


def test_who_has_arrived_is_not_evaluated_any_more():
    solution, logged = solved(torch.cat([RATES, STIFF]), [0, 1, 2, 3, 4])
    assert {name: len(times) for name, times in logged.times.items()} == dict(enumerate(solution.evaluations.tolist()))
    assert sum(logged.sizes) == solution.evaluations.sum() and logged.sizes[-1] == 1


def test_on_other_devices_arrived_samples_stay_until_they_are_many(monkeypatch):
    """With the same result, bit by bit; here that policy runs on the CPU."""
    worth = dopri5._is_worth_dropping
    own, _ = solved(torch.cat([RATES, STIFF]), [0, 1, 2, 3, 4])
    gpu = torch.device("cuda")
    assert not worth(0, 8, gpu) and not worth(2, 8, gpu) and worth(3, 8, gpu) and worth(1, 1, gpu)
    for policy in (lambda arrived, carried: worth(arrived, carried, gpu), lambda arrived, carried: arrived == carried):
        monkeypatch.setattr(dopri5, "_is_worth_dropping", lambda a, n, device, rule=policy: rule(a, n))
        other, logged = solved(torch.cat([RATES, STIFF]), [0, 1, 2, 3, 4])
        assert torch.equal(other.state[0], own.state[0]) and torch.equal(other.evaluations, own.evaluations)
        assert sum(logged.sizes) > own.evaluations.sum()


def test_what_becomes_of_an_arrived_sample_does_not_matter(monkeypatch):
    """While it is still carried along its derivative may be anything."""
    monkeypatch.setattr(dopri5, "_is_worth_dropping", lambda arrived, carried, device: arrived == carried)
    seen = []

    def broken_at_the_end(time, state, rate):
        arrived = (time == 1.0) & (rate < 1)
        seen.append(int(arrived.sum()))
        after = sum(seen) > 2  # the two stages at the end of its last step
        return (torch.where((arrived & after)[:, None], torch.inf, decay(time, state, rate)[0]),)

    state = torch.ones(2, 3, dtype=torch.float64)
    solution = integrate_each(broken_at_the_end, (state,), 0.0, 1.0, 1e-5, (doubles(0.3, 45.0),))
    assert sum(seen) > 3
    alone = integrate_each(decay, (state[:1],), 0.0, 1.0, 1e-5, (RATES[:1],))
    assert torch.equal(solution.state[0][:1], alone.state[0])


@pytest.mark.parametrize("name", SDES)
def test_flow_of_a_sample_is_the_same_to_the_last_bit_at_any_batch_size_and_place(name):
    mean, variance = (normal((1, *SHAPE), 1, what).double() for what in ("mean", "variance"))
    prior = GaussianPrior(sde_named(name), mean, 0.2 + variance**2)
    noise = normal((7, *SHAPE), 1, "noise").double() * prior.sde.base_variance**0.5
    noise[3] *= 20

    def solve(rows):
        return solve_probability_flow(prior, noise[rows], 1.0, 1e-5, 1e-5)

    together = solve(range(7))
    for parts in ([[row] for row in range(7)], [[0, 1, 2], [3, 4, 5], [6]], [[6, 2, 4, 0, 1, 5, 3]]):
        solutions = [solve(rows) for rows in parts]
        places = torch.tensor([row for part in parts for row in part]).argsort()
        assert torch.equal(torch.cat([one.state for one in solutions])[places], together.state)
        assert torch.equal(torch.cat([one.evaluations for one in solutions])[places], together.evaluations)
    assert len(set(together.evaluations.tolist())) > 1, "samples that all cost the same would show nothing"


def test_steps_through_a_network_are_the_same_and_its_rounding_is_not_amplified():
    """Convolutions may round differently at another batch size; steps that followed would turn 1e-7 into 1e-2 here."""
    model = build_lsgm(small_config(), IMAGE_SHAPE).eval()
    for number, weight in enumerate(model.prior.parameters()):
        weight.data += 0.1 * normal(weight.shape, 2, "weights", number)
    noise = normal((5, *model.vae.prior_shape), 1, "noise")
    together = solve_probability_flow(model.prior, noise, 1.0, 1e-3, 1e-3)
    alone = [solve_probability_flow(model.prior, row[None], 1.0, 1e-3, 1e-3) for row in noise]
    torch.testing.assert_close(torch.cat([one.state for one in alone]), together.state, rtol=0, atol=1e-5)
    assert [one.nfe for one in alone] == together.evaluations.tolist()


class HostReads(TorchDispatchMode):
    """Counts what would make the host wait for a device: reads of a number, and shapes that depend on values."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal")

    def __init__(self) -> None:
        super().__init__()
        self.count, self.operations = 0, 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.operations += 1
        self.count += any(name in str(function) for name in self.WAITING)
        return function(*args, **(kwargs or {}))


def test_the_device_is_read_once_per_step_and_nowhere_else(monkeypatch):
    prior = build_lsgm(small_config(), IMAGE_SHAPE).eval().prior
    noise = normal((3, *prior.shape), 1, "noise")
    reads, original = [], torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: reads.append(self.shape) or original(self))
    with HostReads() as watch:
        assert bool(torch.ones(1)) and watch.count == 1, "the watch sees a read"
        solution = solve_probability_flow(prior, noise, 1.0, 1e-3, 1e-3)
    assert watch.count == 1 and watch.operations > 1000
    assert len(reads) == 1 + (solution.nfe - 2) // 6
