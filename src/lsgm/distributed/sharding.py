"""Work in numbered pieces, dealt to processes in turn, whose results come together in the order of one process.

Pieces are whole batches: an adaptive solver's steps depend on the batch around an image, so the pieces must be those
of a single process for the results to be the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from lsgm.progress_log import told

from .collectives import all_gathered
from .group import is_first, rank, size

T = TypeVar("T")


def dealt(count: int, what: str) -> Iterable[int]:
    """The pieces among 0 .. count - 1 that are this process's; the first one says now and then how far it is.

    Args:
        count: number of pieces.
        what: the pieces are, in the plural.
    """
    pieces = range(rank(), count, size())
    return told(pieces, what) if is_first() else pieces


def collect(work: Callable[[int], T], count: int, expected: type[Exception], what: str) -> list[T]:
    """Do pieces 0 .. count - 1, each in one process; every process gets all results.

    Args:
        work: gives a piece's result, small and with tensors on the CPU.
        count: number of pieces.
        expected: errors of this kind belong to a piece. All processes raise one with the text of the first piece that
            failed, as a single process would.
        what: the pieces are, in the plural.

    Returns:
        Results in the order of the pieces.
    """
    if size() == 1:
        return [work(piece) for piece in dealt(count, what)]
    done: dict[int, T] = {}
    failed: dict[int, str] = {}
    for piece in dealt(count, what):
        try:
            done[piece] = work(piece)
        except expected as error:
            failed[piece] = str(error)
            break
    outcomes = all_gathered((done, failed))
    failures = {piece: error for _, part in outcomes for piece, error in part.items()}
    if failures:
        raise expected(failures[min(failures)])
    results = {piece: result for part, _ in outcomes for piece, result in part.items()}
    return [results[piece] for piece in range(count)]


class RowPool:
    """A large tensor whose rows are made by several processes, brought together in the first one.

    Args:
        count: rows of the whole.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._whole: Tensor | None = None
        self._parts: dict[tuple[int, int], Tensor] = {}

    def put(self, start: int, values: Tensor) -> None:
        """Keep the rows from `start` on, on the CPU; in the first process in their final place."""
        if not is_first():
            self._parts[start, start + len(values)] = values.detach().cpu().contiguous()
            return
        if self._whole is None:
            # Filled in place: large runs do not fit twice in memory.
            self._whole = torch.empty((self._count, *values.shape[1:]), dtype=values.dtype)
        self._whole[start : start + len(values)] = values.detach()

    def merge(self) -> Tensor | None:
        """Return the whole in the first process, where there must be at least one part, and None in the others."""
        places = all_gathered(sorted(self._parts))
        for sender in range(1, size()):
            for start, end in places[sender]:
                if is_first():
                    dist.recv(self._whole[start:end], src=sender)
                elif rank() == sender:
                    dist.send(self._parts.pop((start, end)), dst=0)
        return self._whole
