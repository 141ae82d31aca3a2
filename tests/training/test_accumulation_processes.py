"""k parts in one process give the gradients of one part in each of k processes, and of any mixture."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
import torch
from distributed.processes import on_processes
from distributed.training_cases import exact
from training.accumulation_cases import build_stage, gradients_of

from lsgm import distributed
from lsgm.config import ConfigError


def flat_gradients(parts: int, case: str, is_frozen: bool, dropout: float) -> list[torch.Tensor]:
    """Of every network, after the one message between processes."""
    with exact():
        stage = build_stage(case, parts, dropout, is_frozen)
        network = stage.vae if case.startswith("pretraining") else stage.model
        with (
            distributed.synchronised_batch_norms(network),
            mock.patch.object(torch.distributed, "all_reduce", wraps=torch.distributed.all_reduce) as messages,
        ):
            found = gradients_of(stage)
            before = messages.call_count
            for name, branch in stage.branches.items():
                branch.take_gradients(getattr(found, name))
            assert messages.call_count - before == len(stage.branches) * (distributed.size() > 1)
    return [branch.flat.grad.clone() for branch in stage.branches.values()]


SHARED = [("pretraining", 0.0), ("algorithm 3", 0.5), ("algorithm 2 disjoint, balanced", 0.5)]


def in_processes(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {
        f"{case} {parts} {is_frozen}": flat_gradients(parts, case, is_frozen, dropout)
        for case, dropout in SHARED
        for parts, is_frozen in ((1, True), (2, True), (2, False))
        if is_frozen or not dropout
    }
    try:
        build_stage("pretraining", 8)
    except ConfigError as error:
        found["refused"] = str(error)
    return found


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    return on_processes(2, in_processes, tmp_path_factory.mktemp("two"))


@pytest.mark.parametrize(("case", "dropout"), SHARED)
@pytest.mark.parametrize("parts", [1, 2])
def test_two_processes_are_twice_as_many_parts(two, case, dropout, parts):
    """Dropout's masks included."""
    check_flat(two, f"{case} {parts} True", flat_gradients(2 * parts, case, True, dropout))


def test_batch_norms_see_the_same_parts_in_any_number_of_processes(two):
    check_flat(two, "pretraining 2 False", flat_gradients(2, "pretraining", False, 0.0))


def check_flat(two: list[dict[str, object]], key: str, expected: list[torch.Tensor]) -> None:
    for process in two:
        for found, whole in zip(process[key], expected, strict=True):
            assert (found - whole).norm() < 1e-10 * whole.norm()


def test_a_share_that_cannot_be_split_is_refused(two):
    message = "pretrain.accumulate = 8 does not divide the 4 images of a batch that each of 2 processes has; take a"
    assert all(found["refused"].startswith(message) and "\n" not in found["refused"] for found in two)
