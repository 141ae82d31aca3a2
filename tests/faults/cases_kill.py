"""SIGKILL of a training: at any moment, and at each place of a checkpoint's write."""

from __future__ import annotations

import io
import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from .case import Fault, Injection
from .chain_files import FILES, Chain, undisturbed

STEP = ": step "
# Of the second checkpoint: there is one to go on from, and the first one's files are there to be harmed.
CHECKPOINT = 2
SAVE = torch.save


def ready(verb: str, folder: Path, logs: Path | None = None) -> Chain:
    """A chain in which this verb is next."""
    chain = Chain(folder, logs)
    chain.run_before(verb, undisturbed(verb))
    return chain


def finish(verb: str, disturbed: Chain) -> Injection:
    """Type the command again, to its end."""
    started = disturbed.start(verb)
    seconds = started.seconds_until(STEP)
    if started.end() != 0:
        return Injection((f"it did not go on: {started.text.splitlines()[-1]}",))
    return Injection(disturbed.lost(verb, undisturbed(verb)), seconds or time.monotonic() - started.started)


def at_random_moments(verb: str, folder: Path, times: int) -> list[Injection]:
    """Kill a training at moments drawn from the time that it takes, as often; go on after each kill, to the end."""
    disturbed = ready(verb, folder / "disturbed")
    timed = ready(verb, folder / "timed").start(verb)
    assert timed.end() == 0, timed.text
    duration = time.monotonic() - timed.started
    moments, found, seconds = random.Random(1), [], []
    while len(found) < times:
        moment = moments.uniform(0.0, duration)
        started = disturbed.start(verb)
        first = started.seconds_until(STEP, moment)
        if started.kill_after(moment):
            seconds.append(first)
        if (disturbed.folder / FILES[verb]["--out"]).exists() or len(found) + len(seconds) >= times:
            last = finish(verb, disturbed)
            # The seconds after a kill are those of the next start.
            after = [*seconds[1:], last.seconds]
            found += [Injection(last.lost, after[kill]) for kill in range(len(seconds))]
            seconds = []
            disturbed = ready(verb, folder / f"disturbed-{len(found)}")
    return found


def in_a_write(place: str, verb: str, folder: Path, times: int) -> list[Injection]:
    """Kill a training in the write of its second checkpoint."""
    found = []
    for number in range(times):
        disturbed = ready(verb, folder / f"disturbed-{number}")
        started = disturbed.start(verb, partial(die_in, place))
        assert started.end() == -signal.SIGKILL, started.text
        found.append(finish(verb, disturbed))
    return found


def die_in(place: str) -> None:
    """Let this process be killed at a place of the second checkpoint's write."""
    target = {"half of torch.save": torch, "os.fsync": os, "the checksum's rename": os, "the checkpoint's rename": os}
    name = {torch: "save", os: "fsync" if place == "os.fsync" else "replace"}[target[place]]
    original = getattr(target[place], name)
    ending = ".pt.sha256" if place == "the checksum's rename" else ".pt"
    seen: list[str] = []

    def watched(*arguments: object) -> object:
        path = _path(name, arguments)
        if "checkpoint-" in path and (name != "replace" or path.endswith(ending)):
            seen.append(path)
            if len(seen) == CHECKPOINT:
                _half(arguments) if name == "save" else None
                os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments)

    setattr(target[place], name, watched)


def _path(name: str, arguments: tuple[object, ...]) -> str:
    if name == "fsync":
        return os.readlink(f"/proc/self/fd/{arguments[0]}")
    return str(arguments[1].name if name == "save" else arguments[1])


def _half(arguments: tuple[object, ...]) -> None:
    whole = io.BytesIO()
    SAVE(arguments[0], whole)
    arguments[1].write(whole.getvalue()[: whole.tell() // 2])
    arguments[1].flush()


def _inject(function: Callable[..., list[Injection]], *chosen: str) -> Callable[[Path, int], list[Injection]]:
    return partial(function, *chosen)


FAULTS = (
    Fault("a pretraining is killed", "SIGKILL at a random moment", _inject(at_random_moments, "pretrain"), 20, 2),
    Fault("a training is killed", "SIGKILL at a random moment", _inject(at_random_moments, "train"), 20, 3, slow=True),
    *(
        Fault(
            "a training is killed while it writes a checkpoint",
            f"SIGKILL in {place}",
            _inject(in_a_write, place, "pretrain"),
            3,
            slow=place != "the checkpoint's rename",
        )
        for place in ("half of torch.save", "os.fsync", "the checksum's rename", "the checkpoint's rename")
    ),
)
