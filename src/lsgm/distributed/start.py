"""Starts several processes on this node with `torchrun`, and ends with the exit code of the first that failed."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from lsgm.config import ConfigError
from lsgm.stop_signals import ASKED, passed_on

from .rendezvous import Rendezvous

FAILED, STOPPED = 1, 75
# Seconds that processes have to save themselves after a stop signal; a cluster gives about two minutes.
SHUTDOWN_SECONDS = 100
# Seconds within which all nodes must have started; and those after which one that does not answer is given up.
JOIN_SECONDS, ANSWER_SECONDS = 600, 300


def start_processes(
    count: int, module: str, arguments: Sequence[str], threads: int | None = None, meet: Rendezvous | None = None
) -> int:
    """Run `python -m module arguments` in `count` processes that find each other.

    `torchrun` itself ends with 1 whatever has happened; here it is known whether the settings were wrong or the run
    can go on.

    Args:
        count: number of processes on this node.
        module: what each runs.
        arguments: its command line.
        threads: CPU threads of all processes of this node together; None for all there are.
        meet: where to find the other nodes, each of which calls this function; None: there are none.

    Returns:
        0, or the exit code of the first process of this node that failed; 75 after a stop signal, to this process or,
        before it can save itself, to one of the others; 1 if one was killed otherwise.

    Raises:
        ConfigError: the other nodes cannot be found.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousError, RendezvousTimeoutError

    total = len(os.sched_getaffinity(0)) if threads is None else threads
    os.environ["OMP_NUM_THREADS"] = str(max(1, total // count))
    _silence("torch.distributed.elastic")
    place = ["--standalone"] if meet is None else _words(meet)
    options = run.parse_args([*place, f"--nproc-per-node={count}", "--module", module, *arguments])
    # The signals that `_stopping_once` leaves to torchrun: it would let copies interrupt its own waiting.
    for name, value in {"shutdown_timeout": SHUTDOWN_SECONDS, "signals_to_handle": "SIGQUIT"}.items():
        if hasattr(options, name):
            setattr(options, name, value)
    try:
        with _stopping_once():
            run.run(options)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        return _exit_code(rank, failure.exitcode)
    except SignalException:
        return STOPPED
    except RendezvousTimeoutError:
        raise ConfigError(
            f"--rendezvous {meet}: the {meet.nodes} nodes have not come together within {JOIN_SECONDS} s; start the "
            f"same command on each of them"
        ) from None
    except RendezvousError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        print(f"{meet}: no contact, or another node has ended ({reason})", file=sys.stderr, flush=True)
        return FAILED
    return 0


def _exit_code(rank: int, code: int) -> int:
    """The exit code for that of the process that failed first; one that a signal has ended could not say so itself."""
    if code >= 0:
        return code
    name = signal.Signals(-code).name
    print(f"process {rank} was ended by {name}; run the same command again to go on", file=sys.stderr, flush=True)
    return STOPPED if -code in ASKED else FAILED


def _silence(package: str) -> None:
    """Let a package of torch say nothing: its report on a failed process would bury that process's own line."""
    for name in (package, *logging.root.manager.loggerDict):
        if name == package or name.startswith(f"{package}."):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # each of its modules has set its own


@contextmanager
def _stopping_once() -> Iterator[None]:
    """Let the first stop signal end torchrun, which waits for its processes, and no other interrupt that.

    One request comes in copies: from the batch system, from `srun`, and from whoever started this process.
    """
    from torch.distributed.elastic.multiprocessing import SignalException

    before: dict[int, object] = {}

    def stop(number: int, frame: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise SignalException(f"stopped by {signal.Signals(number).name}", signal.Signals(number))

    before.update({number: signal.signal(number, stop) for number in passed_on()})
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _words(meet: Rendezvous) -> list[str]:
    """Options of torchrun for several nodes."""
    return [
        f"--nnodes={meet.nodes}",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint={meet}",
        f"--rdzv-id=lsgm-{meet.port}",
        f"--rdzv-conf=join_timeout={JOIN_SECONDS},read_timeout={ANSWER_SECONDS}",
        f"--local-addr={meet.own_address()}",
    ]
