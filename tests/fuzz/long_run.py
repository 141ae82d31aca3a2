"""Many more cases than the tests have time for, other ones each time: `python -m fuzz.long_run --minutes 10`.

Readers take turns. A finding is printed with the file that shows it, in base64, and the run goes on.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from fuzz.changes import changed
from fuzz.target import Target, outcome
from fuzz.targets import TARGETS
from hypothesis import HealthCheck, Phase, given, seed, settings

ROUND = 200


def fuzz(target: Target, number: int, folder: Path, cases: Counter[str], read: Counter[str]) -> str | None:
    """Try one round of files; what was found, None if nothing was."""
    last = b""

    @seed(number)
    @settings(
        max_examples=min(ROUND, 4 * target.examples),
        database=None,
        deadline=None,
        phases=[Phase.generate],  # to find the smallest case takes minutes for a large file
        suppress_health_check=list(HealthCheck),
    )
    @given(changed(target.samples, target.is_text))
    def check(content: bytes) -> None:
        nonlocal last
        last = target.wrap(content)
        cases[target.name] += 1
        read[target.name] += outcome(target, last, folder) is None

    try:
        check()
    except Exception:  # a finding: any error but ConfigError
        return f"{target.name}: {base64.b64encode(last).decode()}\n{traceback.format_exc(limit=-6)[-3000:]}"
    return None


def main() -> int:
    """Fuzz for some minutes; 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", default="", help="part of the names of the readers")
    parser.add_argument("--seed", type=int, default=time.time_ns(), help="default: by the clock")
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    end = time.monotonic() + 60 * args.minutes
    cases: Counter[str] = Counter()
    read: Counter[str] = Counter()
    findings: list[str] = []
    number = args.seed
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            for index, target in enumerate(TARGETS):
                if args.only in target.name and time.monotonic() < end:
                    place = Path(folder) / str(index)
                    place.mkdir(exist_ok=True)
                    found = fuzz(target, number, place, cases, read)
                    if found is not None:
                        findings.append(found)
                        print(found, flush=True)
            number += 1
    for name, count in sorted(cases.items()):
        print(f"{count:8,} cases, {read[name]:7,} read  {name}")
    print(f"{sum(cases.values()):8,} cases, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
