"""Several processes that work as one: `torchrun` starts them, and one process is the case of size 1.

Every function here does nothing for a single process, whose results are therefore bit for bit what they were. Draws
are keyed by step and by image, never by process, so any number of processes computes the same thing up to rounding;
dropout, which draws inside the networks, is the one exception.
"""

from .batch_norm import synchronised_batch_norms
from .collectives import all_gathered, any_of, mean, mean_in_place, on_first, same_rows, wait_for_all
from .failure import first_to_fail
from .group import is_first, join, leave, rank, size
from .launch import Launch, launch
from .rendezvous import Rendezvous
from .sharding import RowPool, collect, dealt
from .start import start_processes

__all__ = [
    "Launch",
    "Rendezvous",
    "RowPool",
    "all_gathered",
    "any_of",
    "collect",
    "dealt",
    "first_to_fail",
    "is_first",
    "join",
    "launch",
    "leave",
    "mean",
    "mean_in_place",
    "on_first",
    "rank",
    "same_rows",
    "size",
    "start_processes",
    "synchronised_batch_norms",
    "wait_for_all",
]
