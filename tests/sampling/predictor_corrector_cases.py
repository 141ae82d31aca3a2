"""What the tests of predictor-corrector sampling share: settings, draws by number, Gaussian data."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from toy_gaussian import GaussianPrior, sde_named

from lsgm.config import SampleConfig
from lsgm.randomness import normal
from lsgm.sde import SDES

SHAPE = (2, 3, 3)
each_sde = pytest.mark.parametrize("name", SDES)


def settings(**keys) -> SampleConfig:
    return SampleConfig(**{"solver": "predictor_corrector", "num_steps": 20, "time_end": 1e-3, **keys})


def noises(shape: tuple[int, ...], seed: int = 1) -> Callable[[int], Tensor]:
    return lambda number: normal(shape, seed, "step", number)


def gaussian(name: str, mean: float, variance: float, shape: tuple[int, int, int] = (1, 1, 1)) -> GaussianPrior:
    values = (torch.full((1, *shape), value, dtype=torch.float64) for value in (mean, variance))
    return GaussianPrior(sde_named(name), *values)
