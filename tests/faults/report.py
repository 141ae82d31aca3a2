"""`python -m faults.report --out docs/faults.md`: injects every fault, and writes what was lost by it."""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from .case import Fault, Injection, Unavailable
from .registry import FAULTS

INTRODUCTION = """\
# Faults survived

`make faults` injects every fault below, types the same command again, and writes this file; `make test` and
`make test-all` inject them less often. **Lost** is what the run that was disturbed lacks at its end, compared with an
undisturbed one: model files and data are compared by their SHA-256; images, training curves, training records and
metrics by every number that is no time of day. A file system that refuses a write also counts as a loss if the command
does not end with exit code 2 and one line, or if an earlier checkpoint is harmed; and a job of the workflow that was
finished counts if it is done again.

**Seconds to go on** run from the start of the same command to its first new step of training, or to its end where no
step is left. For `lsgm` the import of torch, some two seconds, is left out; `snakemake` is measured as typed. They were
taken at test scale on {machine}, with whatever else it had to do: they say that nothing waits for a time-out, and no
more.
"""
HEADER = "| fault | injected | times | lost | seconds to go on: median (largest) |\n| --- | --- | --- | --- | --- |\n"


def row(fault: Fault, injections: Sequence[Injection]) -> str:
    """The line of one fault."""
    losses = sorted({text for injection in injections for text in injection.lost})
    seconds = [injection.seconds for injection in injections if injection.seconds is not None]
    times = f"{statistics.median(seconds):.1f} ({max(seconds):.1f})" if seconds else "-"
    return _line(fault, str(len(injections)), "; ".join(losses).replace("|", "/") or "nothing", times)


def _line(fault: Fault, times: str, lost: str, seconds: str) -> str:
    return f"| {fault.name} | {fault.how} | {times} | {lost} | {seconds} |\n"


def main() -> None:
    """Inject all faults and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--times", type=int, help="how often each fault is injected; default: as often as it says")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    machine = f"{os.cpu_count()} cores without a GPU, torch {torch.__version__}"
    rows = []
    for fault in FAULTS:
        print(f"{fault.name}: {fault.how}", flush=True)
        with TemporaryDirectory(prefix="lsgm-fault-") as folder:
            try:
                rows.append(row(fault, fault.inject(Path(folder), arguments.times or fault.times)))
            except Unavailable as reason:
                rows.append(_line(fault, "0", f"not tried: {reason}", "-"))
        print(rows[-1], end="", flush=True)
    arguments.out.write_text(f"{INTRODUCTION.format(machine=machine)}\n{HEADER}{''.join(rows)}", encoding="utf-8")


if __name__ == "__main__":
    main()
