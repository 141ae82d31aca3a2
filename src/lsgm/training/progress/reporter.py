"""Progress for the person who waits: a bar on a terminal, elsewhere one line per logging interval."""

from __future__ import annotations

import sys
from typing import Protocol

from lsgm import distributed

from .log import Record

SHOWN = ("loss_vae", "loss_prior", "nelbo")


class Reporter(Protocol):
    """What the loop tells about a run. Give your own to `pretrain` and `train` to show it elsewhere."""

    def start(self, stage: str, done: int, total: int) -> None:
        """A stage begins, or goes on, with `done` of `total` steps done."""

    def advance(self, step: int, record: Record | None) -> None:
        """Step number `step` is done; `record` is the line written to the curve, if there was one."""

    def note(self, text: str) -> None:
        """Show one line."""

    def close(self) -> None:
        """The stage is over."""


class TerminalReporter:
    """Writes to standard error."""

    def __init__(self) -> None:
        self._bar = None
        self._stage = ""
        self._total = 0

    def start(self, stage: str, done: int, total: int) -> None:
        """Begin; see `Reporter`."""
        self._stage, self._total = stage, total
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=done, desc=stage, unit="step", file=sys.stderr)

    def advance(self, step: int, record: Record | None) -> None:
        """Move on; see `Reporter`."""
        if self._bar is not None:
            self._bar.update(1)
            if record is not None:
                self._bar.set_postfix_str(_summary(record))
        elif record is not None:
            self.note(f"{self._stage}: step {step}/{self._total}  {_summary(record)}  {record['seconds']:.0f} s")

    def note(self, text: str) -> None:
        """Show one line; see `Reporter`."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """End; see `Reporter`."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class SilentReporter:
    """Says nothing: for all processes but the first."""

    def start(self, stage: str, done: int, total: int) -> None:
        """Nothing; see `Reporter`."""

    def advance(self, step: int, record: Record | None) -> None:
        """Nothing; see `Reporter`."""

    def note(self, text: str) -> None:
        """Nothing; see `Reporter`."""

    def close(self) -> None:
        """Nothing; see `Reporter`."""


def default_reporter() -> Reporter:
    """Return the reporter for a run that was given none: on the terminal, once for all processes."""
    return TerminalReporter() if distributed.is_first() else SilentReporter()


def _summary(record: Record) -> str:
    parts = [f"{name} {record[name]:.4g}" for name in SHOWN if record.get(name) is not None]
    if record["skipped"]:
        parts.append(f"skipped {record['skipped']}")
    return "  ".join(parts)
