"""Exponential moving average of the prior's parameters: what is evaluated and saved in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import Parameter


class Ema:
    """Average of `parameters`: set to them after the first update, then moved towards them after each.

    Args:
        parameters: what is averaged, in a fixed order.
        decay: weight of the old average, in [0, 1).
    """

    def __init__(self, parameters: Sequence[Parameter], decay: float) -> None:
        self._parameters = list(parameters)
        self._decay = decay
        self._average: list[Tensor] = []

    @property
    def started(self) -> bool:
        """Whether there was an update, and so an average."""
        return bool(self._average)

    @torch.no_grad()
    def update(self) -> None:
        """Take the present parameters into the average; to be called after an update that was not skipped."""
        if not self._average:
            # The average moves in the same step in which it starts; started at the parameters, it stays there.
            self._average = [parameter.detach().clone() for parameter in self._parameters]
        else:
            torch._foreach_lerp_(self._average, self._parameters, 1 - self._decay)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Put the average in place of the parameters inside a `with` block; before the first update, do nothing."""
        if not self._average:
            yield
            return
        kept = [parameter.detach().clone() for parameter in self._parameters]
        self.copy_to_parameters()
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._parameters, kept)

    @torch.no_grad()
    def copy_to_parameters(self) -> None:
        """Overwrite the parameters with the average, for good."""
        if self._average:
            torch._foreach_copy_(self._parameters, self._average)

    def state_dict(self) -> dict[str, list[Tensor]]:
        """The average, for a checkpoint."""
        return {"average": list(self._average)}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        """Take the average back from a checkpoint."""
        self._average = [
            saved.to(parameter.device, parameter.dtype).clone()
            for saved, parameter in zip(state["average"], self._parameters, strict=bool(state["average"]))
        ]
