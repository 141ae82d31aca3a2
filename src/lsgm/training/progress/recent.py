"""The losses and gradient norms of the last steps, for the report of a run that diverges; part of the checkpoint."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

LENGTH = 50


class Recent:
    """Values of the last 50 steps, skipped ones and those before a rollback included."""

    def __init__(self) -> None:
        self._steps: deque[tuple[int, dict[str, float]]] = deque(maxlen=LENGTH)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values of a step, finite or not."""
        self._steps.append((step, dict(values)))

    def by_term(self) -> dict[str, list[float | str | None]]:
        """The numbers of the steps and, by name, the values; those that are not finite as "nan", "inf" and "-inf"."""
        names = dict.fromkeys(name for _, values in self._steps for name in values)
        table: dict[str, list[float | str | None]] = {"step": [step for step, _ in self._steps]}
        return table | {name: [_for_json(values.get(name)) for _, values in self._steps] for name in names}

    def state_dict(self) -> dict[str, object]:
        """The values, for a checkpoint."""
        return {"steps": [(step, dict(values)) for step, values in self._steps]}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Take the values back from a checkpoint."""
        self._steps = deque(((step, dict(values)) for step, values in state["steps"]), maxlen=LENGTH)


def _for_json(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)
