"""Two trainings that would write the same files."""

from __future__ import annotations

from pathlib import Path

from .case import Fault, Injection
from .cases_files import BAD_INPUT
from .cases_kill import ready
from .chain_files import undisturbed


def same_command_twice(folder: Path, times: int) -> list[Injection]:
    """Type a command again while it is at work; the first must not notice."""
    found = []
    for number in range(times):
        chain = ready("pretrain", folder / f"twice-{number}")
        first = chain.start("pretrain")
        first.seconds_until(": step 2/")
        second = chain.start("pretrain")
        code, line = second.end(), second.text
        clear = code == BAD_INPUT and f"process {first.pid} on " in line and len(line.splitlines()) == 1
        lost = () if clear else (f"the second ended with {code}: {line!r}",)
        if first.end() != 0:
            lost += (f"the first failed: {first.text[-300:]}",)
        found.append(Injection(lost + chain.lost("pretrain", undisturbed("pretrain"))))
    return found


FAULTS = (
    Fault("two trainings write the same files", "the command typed again while it is at work", same_command_twice, 3),
)
