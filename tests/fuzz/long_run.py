"""Many more cases than the tests have time for, other ones each time: `python -m fuzz.long_run --minutes 10`.

Readers take turns. A finding is printed with the file that shows it, in base64, and the run goes on. `--out` writes the
table of docs/fuzzing.md.
"""

from __future__ import annotations

import argparse
import base64
import faulthandler
import sys
import tempfile
import time
import traceback
from pathlib import Path

from fuzz.changes import changed
from fuzz.long_report import Tally, text
from fuzz.target import Target, outcome
from fuzz.targets import TARGETS
from hypothesis import HealthCheck, Phase, given, seed, settings

ROUND = 50


def fuzz(target: Target, number: int, folder: Path, tally: Tally) -> str | None:
    """Try one round of files; what was found, None if nothing was."""
    last = b""

    @seed(number)
    @settings(
        max_examples=min(ROUND, target.examples),
        database=None,
        deadline=None,
        phases=[Phase.generate],  # to find the smallest case takes minutes for a large file
        suppress_health_check=list(HealthCheck),
    )
    @given(changed(target.samples, target.is_text))
    def check(content: bytes) -> None:
        nonlocal last
        last = target.wrap(content)
        tally.cases += 1
        tally.read += outcome(target, last, folder) is None

    started = time.monotonic()
    try:
        check()
    except Exception:  # a finding: any error but ConfigError
        tally.findings += 1
        return f"{target.name}: {base64.b64encode(last).decode()}\n{traceback.format_exc(limit=-6)[-3000:]}"
    finally:
        tally.seconds += time.monotonic() - started
    return None


def main() -> int:
    """Fuzz for some minutes; 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", default="", help="part of the names of the readers")
    parser.add_argument("--seed", type=int, default=time.time_ns(), help="default: by the clock")
    parser.add_argument("--out", type=Path, help="file for the table of cases")
    args = parser.parse_args()
    faulthandler.enable()
    print(f"seed {args.seed}", flush=True)
    began = time.monotonic()
    end = began + 60 * args.minutes
    tallies = {target.name: Tally() for target in TARGETS if args.only in target.name}
    number = args.seed
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            for index, target in enumerate(TARGETS):
                if target.name in tallies and time.monotonic() < end:
                    place = Path(folder) / str(index)
                    place.mkdir(exist_ok=True)
                    found = fuzz(target, number, place, tallies[target.name])
                    if found is not None:
                        print(found, flush=True)
            number += 1
    for name, tally in tallies.items():
        print(f"{tally.cases:8,} cases, {tally.read:7,} read  {name}")
    findings = sum(tally.findings for tally in tallies.values())
    print(f"{sum(tally.cases for tally in tallies.values()):8,} cases, {findings} findings")
    if args.out is not None:
        args.out.write_text(text(tallies, time.monotonic() - began, args.seed), encoding="utf-8")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
