"""docs/fuzzing.md: how many damaged files each reader was given, and what damaged files have found so far."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from fuzz.found import FOUND

INTRODUCTION = """\
# Damaged and hostile files

`make fuzz MINUTES=15` gives every reader of files from outside newly damaged ones: sound files cut, overwritten,
repeated and spliced, numbers and words replaced by harmful ones, and where checksums would let nothing else pass,
checksums made right again. A reader must read the file, and give what its documentation says, or end with exit code 2
and one printable line that names the file; within a minute and one GiB more of memory. Anything else is a finding.
`make test` does the same with few files, always the same ones, and adds whole files that try something in particular:
paths that lead out of an archive, pickles that call functions, archives and pictures that unpack to gigabytes.

For downloads, a server on this machine answers with damaged HTTP: the file that was there before must stay, unless the
right one has come. The reader of the authors' checkpoints has tests of its own (tests/compat/official).
"""
LAST_RUN = """
## Last run

`PYTHONPATH=tests python -m fuzz.long_run --minutes {minutes:.0f} --seed {seed} --out docs/fuzzing.md`, which writes
this file, on {machine}: **{cases:,} cases, {findings} findings** in {seconds:,.0f} s.

| reader | cases | of them read | seconds | findings |
| --- | --- | --- | --- | --- |
"""
BEFORE = """
## What was found before

Each is a test now (tests/fuzz/found.py and the files beside it).

| reader | file |
| --- | --- |
"""


@dataclass
class Tally:
    """What one reader was given: how many files, how many it read, in how long, and how many showed a mistake."""

    cases: int = 0
    read: int = 0
    seconds: float = 0.0
    findings: int = 0


def text(tallies: Mapping[str, Tally], seconds: float, seed: int) -> str:
    """The whole document."""
    last = LAST_RUN.format(
        minutes=seconds / 60,
        seed=seed,
        machine=f"{os.cpu_count()} cores, torch {torch.__version__}",
        cases=sum(tally.cases for tally in tallies.values()),
        findings=sum(tally.findings for tally in tallies.values()),
        seconds=seconds,
    )
    rows = [
        f"| {name} | {tally.cases:,} | {tally.read:,} | {tally.seconds:.0f} | {tally.findings} |"
        for name, tally in tallies.items()
    ]
    found = [f"| {reader} | {what} |" for what, (reader, _, _) in FOUND.items()]
    return "\n".join([INTRODUCTION + last + "\n".join(rows), BEFORE + "\n".join(found), ""])
