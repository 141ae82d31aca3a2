"""Runs a function in several processes at once, joined by gloo as `torchrun` would join them."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
import torch.multiprocessing as mp

from lsgm import distributed


def on_processes(count: int, work: Callable[[Path], object], folder: Path) -> list[object]:
    """Return what `work(folder)` gives in each process, in the order of ranks; all must end well."""
    with tempfile.TemporaryDirectory() as results:
        mp.start_processes(_process, (count, _free_port(), work, folder, results), count, start_method="spawn")
        return [torch.load(Path(results) / str(rank), weights_only=False) for rank in range(count)]


def _process(rank: int, count: int, port: int, work: Callable[[Path], object], folder: Path, results: str) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    distributed.join("cpu")
    try:
        torch.save(work(folder), Path(results) / str(rank))
    finally:
        distributed.leave()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
