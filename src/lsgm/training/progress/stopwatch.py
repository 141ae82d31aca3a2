"""Wall and processor time of a run that may be stopped and go on."""

from __future__ import annotations

import time


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
