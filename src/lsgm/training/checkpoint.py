"""Checkpoints: `checkpoint-<step>.pt` with its SHA-256 beside it; the last two, the good and the best ones are kept.

A file appears under its name only when it is complete (temporary file, fsync, rename), and is used only if its
checksum is right: neither a kill nor a damaged disk block makes a run continue from nonsense. After a rollback names
are `checkpoint-<step>-rollback<n>.pt`: nothing is overwritten, and what is written is newer whatever its step.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from lsgm.config import ConfigError
from lsgm.whole_file import CURES, explained, refused_by_system, writing

KEPT = 2  # of the newest
GOOD = 2  # to go back to
FORMAT = 4
# A file that may not be read just now is not given up; one that is gone, or on a bad block of the disk, is.
NOT_DAMAGED = CURES.keys() - {errno.ENOENT, errno.EIO}
NAME = re.compile(r"checkpoint-(\d+)(?:-rollback(\d+))?\.pt")


@dataclass(frozen=True, order=True)
class CheckpointId:
    """Which checkpoint of a run; the later one is the greater.

    Attributes:
        rollbacks: times that the run had gone back.
        step: steps done.
    """

    rollbacks: int
    step: int


class CheckpointStore:
    """The checkpoints of one run.

    Args:
        folder: where they are.
        settings: everything the run's result depends on, as nested plain values.
        note: receives one line for the user where a checkpoint cannot be used.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object], note: Callable[[str], None]) -> None:
        self._folder = folder
        self._settings = dict(settings)
        self._note = note

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self._folder

    def path(self, step: int, rollbacks: int = 0) -> Path:
        """The file of the checkpoint after `step` steps."""
        return self._folder / f"checkpoint-{step:08d}{f'-rollback{rollbacks}' if rollbacks else ''}.pt"

    def save(
        self, step: int, state: Mapping[str, object], rollbacks: int = 0, kept: Collection[CheckpointId] = frozenset()
    ) -> Path:
        """Write the state after `step` steps, then remove all but the newest two and those to be kept.

        Args:
            step: steps done.
            state: tensors, numbers, strings, lists and dicts.
            rollbacks: times that the run has gone back.
            kept: further checkpoints that stay.

        Returns:
            The file written.

        Raises:
            ConfigError: the file system refuses, as when it is full; the earlier checkpoints are as they were.
        """
        path = self.path(step, rollbacks)
        temporary = path.with_suffix(".writing")
        content = {"format": FORMAT, "settings": self._settings, "step": step, "state": dict(state)}
        self._remove_parts()
        try:
            with writing(path):
                with temporary.open("wb") as file:
                    torch.save(content, file)
                    file.flush()
                    os.fsync(file.fileno())
                # The checksum goes first: without its file a checkpoint does not count.
                checksum = _checksum_path(path)
                part = checksum.with_suffix(".writing")
                part.write_text(_sha256(temporary) + "\n", encoding="ascii")
                os.replace(part, checksum)
                os.replace(temporary, path)
                _sync_folder(self._folder)
        except BaseException:
            self._remove_parts()
            raise
        for old in self._files()[KEPT:]:
            if _id_of(old) not in kept:
                old.unlink(missing_ok=True)
                _checksum_path(old).unlink(missing_ok=True)
        return path

    def _remove_parts(self) -> None:
        """Give back the room that an unfinished write takes, of this process or of one that was killed."""
        for part in self._folder.glob("checkpoint-*.writing"):
            part.unlink(missing_ok=True)

    def load(self) -> tuple[int, dict[str, object]] | None:
        """Return (step, state) of the newest checkpoint that verifies; None if there is none.

        Raises:
            ConfigError: it was made with other settings, or may not be read.
        """
        files = self._files()
        for path in files:
            content = self._verified(path)
            if content is not None:
                self._require_same_settings(path, content["settings"])
                return int(content["step"]), content["state"]
        if files:
            self._note("no checkpoint can be used: the run starts again from its beginning")
        return None

    def load_at(self, id: CheckpointId) -> dict[str, object] | None:
        """Return the state of one checkpoint, made with these settings; None if it is not there or does not verify."""
        content = self._verified(self.path(id.step, id.rollbacks))
        if content is None or content["settings"] != self._settings:
            return None
        return content["state"]

    def _files(self) -> list[Path]:
        """All checkpoints, newest first."""
        return sorted((path for path in self._folder.iterdir() if NAME.fullmatch(path.name)), key=_id_of, reverse=True)

    def _verified(self, path: Path) -> dict[str, object] | None:
        try:
            expected = _checksum_path(path).read_text(encoding="ascii").strip()
            if _sha256(path) != expected:
                raise ValueError("its checksum is wrong")
            content = torch.load(path, map_location="cpu", weights_only=True)
            if content["format"] != FORMAT:
                raise ValueError(f"its format is {content['format']!r}, not {FORMAT}")
        except Exception as error:  # a damaged file can fail in any way
            refusal = refused_by_system(error)
            if refusal is not None and refusal.errno in NOT_DAMAGED:
                raise ConfigError(f"{path}: cannot be read ({explained(refusal)})") from error
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            self._note(f"{path} is left out: {reason}")
            return None
        return content

    def _require_same_settings(self, path: Path, saved: Mapping[str, object]) -> None:
        if saved == self._settings:
            return
        key, old, new = first_difference(saved, self._settings)
        raise ConfigError(
            f"{path} was made with other settings: {key} was {old!r} and is {new!r} now; "
            f"take the old settings, or another folder to start anew"
        )


class CheckpointHistory:
    """Which checkpoints matter beyond the newest: good ones to go back to, and the best to end with.

    Only checkpoints at whole intervals count. Those that a stop has written do not: with them, what a run goes back to
    would depend on when it was stopped. Part of each checkpoint.

    Attributes:
        good: the last two checkpoints with finite weights that no skipped update came right before, newest first.
        best: the checkpoint before which the mean NELBO (kl_coeff = 1, of the training batches) was lowest.
        best_nelbo: that mean, in nats, over the updates since the checkpoint before it.
    """

    def __init__(self) -> None:
        self.good: list[CheckpointId] = []
        self.best: CheckpointId | None = None
        self.best_nelbo: float | None = None
        self._sum, self._count = 0.0, 0

    @property
    def kept(self) -> set[CheckpointId]:
        """Checkpoints that must stay on the disk."""
        return {*self.good, *([] if self.best is None else [self.best])}

    def add(self, nelbo: float) -> None:
        """Add the NELBO of an update that was made."""
        self._sum += nelbo
        self._count += 1

    def reached(self, id: CheckpointId, is_good: bool) -> None:
        """End an interval.

        Args:
            id: the checkpoint that is to be written, or the end of the run.
            is_good: whether the run could go on from it.
        """
        mean = self._sum / self._count if self._count else None
        self._sum, self._count = 0.0, 0
        if not is_good:
            return
        self.good = [id, *self.good][:GOOD]
        # The NELBO of a prior on a frozen VAE is no part of its loss, and so not among what is checked at each step.
        has_mean = mean is not None and math.isfinite(mean)
        if has_mean and (self.best_nelbo is None or mean < self.best_nelbo):
            self.best, self.best_nelbo = id, mean

    def ways_back(self, last: CheckpointId | None) -> list[CheckpointId]:
        """Checkpoints to go back to, in the order in which to try them.

        Args:
            last: the checkpoint written at the last rollback. If the run has come to no other since then, that one may
                have been in trouble already, and the one before it goes first.
        """
        ways = list(self.good)
        if last in ways[:1] and len(ways) > 1:
            ways = [*ways[1:], ways[0]]
        return ways

    def went_back(self, used: CheckpointId, new: CheckpointId) -> None:
        """Put `new`, a checkpoint with the state of `used`, in its place, and forget what was after it."""
        self.good = [new, *(one for one in self.good if one.step < used.step)]
        self._sum, self._count = 0.0, 0

    def state_dict(self) -> dict[str, object]:
        """Plain values, for a checkpoint."""
        good = [(one.rollbacks, one.step) for one in self.good]
        best = None if self.best is None else (self.best.rollbacks, self.best.step, self.best_nelbo)
        return {"good": good, "best": best, "sum": self._sum, "count": self._count}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take them back from a checkpoint."""
        self.good = [CheckpointId(*pair) for pair in state["good"]]
        self.best = self.best_nelbo = None
        if state["best"] is not None:
            *pair, self.best_nelbo = state["best"]
            self.best = CheckpointId(*pair)
        self._sum, self._count = float(state["sum"]), int(state["count"])


def first_difference(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[str, object, object]:
    """Name the first key at which two nested settings differ, and both values; absent ones are None."""
    for key in sorted(old.keys() | new.keys()):
        left, right = old.get(key), new.get(key)
        if left == right:
            continue
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            inner, left, right = first_difference(left, right)
            return f"{key}.{inner}", left, right
        return key, left, right
    raise ValueError("the settings are equal")


def _id_of(path: Path) -> CheckpointId:
    step, rollbacks = NAME.fullmatch(path.name).groups()
    return CheckpointId(int(rollbacks or 0), int(step))


def _checksum_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make renames durable; not every file system offers it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
