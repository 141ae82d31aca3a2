"""The smallest scale that goes through every benchmark, and a clock that only work moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from lsgm.bench.benchmark import Setting
from lsgm.bench.networks import small
from lsgm.bench.scales import QUICK

CPU = torch.device("cpu")
SCALING = replace(QUICK.scaling, batches=(2, 4), widths=(8, 16), sides=(8, 16), processes=(1,))
TINY = replace(
    QUICK,
    networks=(small(),),
    batch=2,
    memory=(),
    blocks=(2, 2),
    evaluations=(4,),
    ancestral_steps=2,
    tolerances=(1e-1, 1e-2),
    latent=(2, 4, 2),
    exact_tol=1e-5,
    likelihood_steps=(4,),
    latents=2,
    data_batches=2,
    scaling=SCALING,
)
SETTING = Setting(CPU, TINY, repeats=2)


class WorkClock:
    """Seconds that pass only while work is done."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[str] = []

    def __call__(self) -> float:
        return self.now

    def work(self, name: str, seconds: list[float]) -> Callable[[], None]:
        """Work that takes the next of `seconds` at each call."""
        left = iter(seconds)

        def run() -> None:
            self.done.append(name)
            self.now += next(left)

        return run
