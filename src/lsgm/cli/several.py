"""`--processes N --nodes M`, and how N x M processes speak to the user with one voice."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from lsgm.cli import options
from lsgm.cli.jobs import slurm_step, time_slot
from lsgm.config import ConfigError

MODULE = "lsgm.cli.main"


def wanted(args: argparse.Namespace) -> bool:
    """Whether other processes are to be started, which then do the work."""
    if not hasattr(args, "processes"):
        return False
    for option, count, least in (("--processes", args.processes, 0), ("--nodes", args.nodes, 1)):
        if count < least:
            raise ConfigError(f"{option} {count}: must be at least 1")
    if args.rendezvous is not None and args.nodes == 1:
        raise ConfigError(f"--rendezvous {args.rendezvous}: is for several nodes; add --nodes M, or leave it out")
    return max(args.processes, args.nodes) > 1 and not _is_one_of_several()


def start(args: argparse.Namespace, argv: Sequence[str] | None) -> int:
    """Run the same command line in `--processes` processes on each of the `--nodes`; return the exit code.

    Raises:
        ConfigError: the settings are wrong, which need not be said by each of them; or there are no other nodes.
    """
    options.settings(args)
    words = list(sys.argv[1:] if argv is None else argv)
    meeting = args.rendezvous
    if args.nodes > 1 and meeting is None:
        place = slurm_step.find(args.nodes)
        if not place.is_step:
            return slurm_step.start(place, MODULE, words, args.verb, args.threads)
        meeting = place.rendezvous
    # Until the processes are started, there is nothing that could save itself.
    with time_slot.starting(args.verb) if hasattr(args, "minutes") else nullcontext():
        from lsgm.distributed import Rendezvous, start_processes

        meet = None if meeting is None else Rendezvous.parse(args.nodes, meeting)
        return start_processes(max(1, args.processes), MODULE, words, args.threads, meet)


def require_whole_launch() -> None:
    """Refuse a WORLD_SIZE that no `torchrun` has set, before anything else is done.

    Raises:
        ConfigError: a variable is missing or makes no sense.
    """
    if _is_one_of_several():
        from lsgm.distributed import launch

        launch()


def say(line: str) -> None:
    """Print a line on why this process ends, unless another one has said why they all do."""
    if not is_consequence():
        print(line, file=sys.stderr, flush=True)


def is_consequence() -> bool:
    """Whether this process ends because another one has ended."""
    if not _is_one_of_several():
        return False
    from lsgm.distributed import first_to_fail

    return not first_to_fail()


def finish() -> None:
    """Leave the other processes in peace, all at once: those of other nodes are ended soon after the first has left."""
    if _is_one_of_several():
        from lsgm.distributed import leave, wait_for_all

        wait_for_all()
        leave()


def _is_one_of_several() -> bool:
    # Asked without torch, so that `lsgm --help` does not wait for it.
    return os.environ.get("WORLD_SIZE", "1") != "1"
