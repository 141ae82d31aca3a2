"""The training curve, progress on the terminal, and the numbers and times of a run.

The curve is one JSON line per interval in `curves.jsonl`, with the same numbers for TensorBoard. A line holds means
over the steps since the line before. After a resume the file continues without a seam: lines beyond the checkpoint,
and a last line torn by a kill, are removed first.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lsgm import distributed
from lsgm.algorithms import Terms
from lsgm.config import ConfigError
from lsgm.config.text_files import parse_json
from lsgm.whole_file import write_text_whole, writing

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from lsgm.training.stage import Stage

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


def curve_record(stage: Stage, terms: Terms, means: Mapping[str, float], step: int) -> Record:
    """What the curve's line after a step says of the losses and the schedules.

    Args:
        stage: what is trained.
        terms: of this step.
        means: of the values since the line before; empty if all updates were skipped.
        step: the step's number.
    """
    scalars = [*terms.scalars, *(f"grad_norm_{name}" for name in stage.branches)]
    return {
        **{name: means.get(name) for name in scalars},
        "kl_groups": [means.get(f"kl_groups/{group}") for group in range(terms.nelbo.kl.shape[1])],
        "active_channels": terms.nelbo.active_channels().tolist(),
        "kl_coeff": stage.kl_coeff(step),
        **{f"lr_{name}": branch.rate(step) for name, branch in stage.branches.items()},
    }


class Averages:
    """Running sums by name."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, values: Mapping[str, float]) -> None:
        """Add the values of one step, all finite."""
        self._count += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value

    def take(self) -> dict[str, float]:
        """Return the means and start again; nothing if no step was added."""
        means = {name: total / self._count for name, total in self._sums.items()}
        self._sums, self._count = {}, 0
        return means

    def state_dict(self) -> dict[str, object]:
        """Sums and their count, for a checkpoint."""
        return {"sums": dict(self._sums), "count": self._count}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take the sums back from a checkpoint."""
        self._sums, self._count = dict(state["sums"]), int(state["count"])


class Stopwatch:
    """Time of this process since the start, on top of what earlier parts of the run took."""

    def __init__(self) -> None:
        self._wall, self._processor = 0.0, 0.0
        self.start()

    def start(self) -> None:
        """Count from now on."""
        self._wall_start, self._processor_start = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Wall time of all parts."""
        return self._wall + time.perf_counter() - self._wall_start

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all parts, summed over the threads."""
        return self._processor + time.process_time() - self._processor_start

    def state_dict(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from what earlier parts took."""
        self._wall, self._processor = float(state["seconds"]), float(state["cpu_seconds"])


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
