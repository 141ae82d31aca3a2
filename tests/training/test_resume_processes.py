"""A run that one process has begun goes on in two, and the other way round: the same to rounding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from distributed.processes import on_processes
from distributed.training_cases import NO_DROPOUT, exact
from training.saved_runs import LOOP, STEPS, Saved, check_equal, run
from training.small_run import OBJECTIVES, pretrain_settings, run_config, train_settings

from lsgm import distributed

# Without dropout, whose masks belong to the rows of a process; with batch norms that see the same parts in any number.
SHARED = {
    "pretraining": {"pretrain": pretrain_settings(**LOOP, accumulate=2)},
    "algorithm 2": {
        "objective": OBJECTIVES["algorithm 2"],
        "train": train_settings(**LOOP, accumulate=2, kl_balance=True),
    },
}


def shared_run(case: str, work: Path) -> tuple[dict[str, torch.Tensor], dict[str, object], Saved]:
    distributed.on_first(lambda: work.mkdir(exist_ok=True))
    with exact():
        result, saved = run(case, run_config(prior=NO_DROPOUT, **SHARED[case]), work)
    return result.model.state_dict(), dict(result.final), saved


# Where the other number of processes goes on: at an odd step, and at the end of an epoch.
CUTS = {"pretraining": 1, "algorithm 2": 2}


def in_two(path: Path) -> dict[str, object]:
    """A whole run, and the rest of a run that one process has begun."""
    return {
        case: (shared_run(case, path / f"two {case}"), shared_run(case, path / f"one {case}-{cut}"))
        for case, cut in CUTS.items()
    }


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_another_number_of_processes(tmp_path: Path):
    """From one to two and from two to one: the same to rounding."""
    one = {case: shared_run(case, tmp_path / f"one {case}") for case in CUTS}
    first, second = on_processes(2, in_two, tmp_path)
    for case, cut in CUTS.items():
        of_two, gone_on = first[case]
        back_in_one = shared_run(case, tmp_path / f"two {case}-{cut}")
        for weights, last_line, _ in (of_two, gone_on, back_in_one):
            check_equal(weights, one[case][0], f"{case}, weights", 1e-10)
            check_equal(last_line, one[case][1], f"{case}, last line", 1e-9)
        check_equal(second[case][0][0], of_two[0], f"{case}, weights in two processes")
        state = back_in_one[2].states[STEPS - 1]
        check_equal(state, one[case][2].states[STEPS - 1], f"{case}, state", 1e-9)
