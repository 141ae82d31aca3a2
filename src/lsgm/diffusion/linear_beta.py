"""The linear noise rate β(t) = β_0 + (β_1 − β_0) t that the VPSDE and the sub-VPSDE share (spec: method 1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LinearBeta:
    """A noise rate that grows linearly from `start` at t = 0 to `end` at t = 1; end > start > 0."""

    start: float
    end: float

    @property
    def slope(self) -> float:
        """β_1 − β_0."""
        return self.end - self.start

    def rate(self, t: Tensor) -> Tensor:
        """β(t), same shape as t."""
        return self.start + self.slope * t

    def integral(self, t: Tensor) -> Tensor:
        """B(t), the integral of β from 0 to t; same shape as t."""
        return t * (self.start + 0.5 * self.slope * t)

    def time_of_integral(self, integral: Tensor) -> Tensor:
        """Time t with B(t) = integral; same shape.

        The root of the quadratic is written with the square root in the denominator, since the textbook form subtracts
        two nearly equal numbers for small t.
        """
        return 2 * integral / (self.start + torch.sqrt(self.start**2 + 2 * self.slope * integral))
