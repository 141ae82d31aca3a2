"""`--processes N`, and how N processes speak to the user with one voice."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from lsgm.cli import options
from lsgm.config import ConfigError


def wanted(args: argparse.Namespace) -> bool:
    """Whether other processes are to be started, which then do the work."""
    count = getattr(args, "processes", 1)
    if count < 0:
        raise ConfigError(f"--processes {count}: must be at least 1")
    return count > 1 and not _is_one_of_several()


def start(args: argparse.Namespace, argv: Sequence[str] | None) -> int:
    """Run the same command line in `--processes` processes; return the exit code.

    Raises:
        ConfigError: the settings are wrong, which need not be said by each of them.
    """
    options.settings(args)
    from lsgm.distributed import start_processes

    words = sys.argv[1:] if argv is None else argv
    return start_processes(args.processes, "lsgm.cli.main", words, args.threads)


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
    """Leave the other processes in peace."""
    if _is_one_of_several():
        from lsgm.distributed import leave

        leave()


def _is_one_of_several() -> bool:
    # Asked without torch, so that `lsgm --help` does not wait for it.
    return os.environ.get("WORLD_SIZE", "1") != "1"
