"""The training curve: one JSON line per interval in `curves.jsonl`, and the same numbers for TensorBoard.

A line holds means over the steps since the line before. After a resume the file goes on without a seam: lines beyond
the checkpoint, and a last line torn by a kill, are removed first.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Record = Mapping[str, int | float | Sequence[int | float | None] | None]

CURVES = "curves.jsonl"
EVENTS = "tensorboard"


class CurveLog:
    """Writer of the curve of one run.

    Args:
        folder: of the run.
        step: steps done already; later lines are removed, all lines if it is 0.
    """

    def __init__(self, folder: Path, step: int) -> None:
        path = folder / CURVES
        kept = [line for line in _lines(path) if json.loads(line)["step"] <= step] if step else []
        temporary = path.with_suffix(".writing")
        temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        os.replace(temporary, path)
        self._file = path.open("a", encoding="utf-8")
        self._events = _event_writer(folder / EVENTS, step)

    def write(self, record: Record) -> None:
        """Add one line; numbers must be finite or None."""
        self._file.write(json.dumps(record, allow_nan=False) + "\n")
        self._file.flush()
        if self._events is None:
            return
        for name, value in record.items():
            values = value if isinstance(value, Sequence) else [value]
            for index, number in enumerate(values):
                if number is not None and name != "step":
                    tag = f"{name}/{index}" if isinstance(value, Sequence) else name
                    self._events.add_scalar(tag, number, record["step"])

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._events is not None:
            self._events.close()


def read_curve(path: Path) -> list[dict[str, object]]:
    """Read the records of a curve file; a torn last line is left out."""
    return [json.loads(line) for line in _lines(path)]


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    whole = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [line for line in whole if _is_record(line)]


def _is_record(line: str) -> bool:
    try:
        return "step" in json.loads(line)
    except json.JSONDecodeError:
        return False


def _event_writer(folder: Path, step: int) -> SummaryWriter | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step or None)
