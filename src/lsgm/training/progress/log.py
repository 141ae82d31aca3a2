"""The training curve: one JSON line per interval in `curves.jsonl`, and the same numbers for TensorBoard.

A line holds means over the steps since the line before. After a resume the file goes on without a seam: lines beyond
the checkpoint, and a last line torn by a kill, are removed first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lsgm.config import ConfigError
from lsgm.config.text_files import parse_json
from lsgm.whole_file import write_text_whole, writing

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
        self._folder = folder
        self._open(step)

    def go_back(self, step: int) -> None:
        """Remove the lines after `step` steps, and go on from there."""
        self.close()
        self._open(step)

    def _open(self, step: int) -> None:
        path = self._folder / CURVES
        kept = [line for line, record in _lines(path) if record["step"] <= step] if step else []
        write_text_whole(path, "".join(line + "\n" for line in kept))
        with writing(path):
            self._file = path.open("a", encoding="utf-8")
            self._events = _event_writer(self._folder / EVENTS, step)

    def write(self, record: Record) -> None:
        """Add one line; numbers must be finite or None."""
        line = json.dumps(record, allow_nan=False) + "\n"
        with writing(self._folder / CURVES):
            self._file.write(line)
            self._file.flush()
        if self._events is not None:
            with writing(self._folder / EVENTS):
                self._add_events(record)

    def _add_events(self, record: Record) -> None:
        for name, value in record.items():
            values = value if isinstance(value, Sequence) else [value]
            for index, number in enumerate(values):
                if number is not None and name != "step":
                    tag = f"{name}/{index}" if isinstance(value, Sequence) else name
                    self._events.add_scalar(tag, number, record["step"])

    def close(self) -> None:
        """Close the files."""
        with writing(self._folder):
            self._file.close()
            if self._events is not None:
                self._events.close()


def read_curve(path: Path) -> list[dict[str, object]]:
    """Read the records of a curve file; a torn last line is left out."""
    return [record for _, record in _lines(path)]


def _lines(path: Path) -> list[tuple[str, dict[str, object]]]:
    """The lines that are records; of a damaged one nothing can be said, and the run can go on without it."""
    try:
        whole = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); remove it, or make it readable") from None
    return [(line, record) for line in whole if (record := _record(line)) is not None]


def _record(line: str) -> dict[str, object] | None:
    try:
        record = parse_json(line)
    except ConfigError:
        return None
    step = record.get("step") if isinstance(record, dict) else None
    return record if isinstance(step, int) and not isinstance(step, bool) else None


def _event_writer(folder: Path, step: int) -> SummaryWriter | None:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step or None)
