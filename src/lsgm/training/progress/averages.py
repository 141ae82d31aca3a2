"""Means of the loss terms since the last line of the curve; part of the checkpoint, so that a curve has no seam."""

from __future__ import annotations

from collections.abc import Mapping


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
