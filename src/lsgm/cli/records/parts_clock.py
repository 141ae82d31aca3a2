"""Where the time of a batch of images goes: the score network's evaluations, the rest of the sampler, the decoder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lsgm.models import Lsgm


@dataclass(frozen=True)
class Instant:
    """A moment, or a time between two: seconds on the wall, and of this process on all its processors."""

    wall: float
    cpu: float

    def __sub__(self, other: Instant) -> Instant:
        return Instant(self.wall - other.wall, self.cpu - other.cpu)

    def __add__(self, other: Instant) -> Instant:
        return Instant(self.wall + other.wall, self.cpu + other.cpu)


@dataclass(frozen=True)
class PartTimes:
    """Seconds of one batch.

    Attributes:
        network: the score network's evaluations, a part of `prior`.
        prior: from the first evaluation to the latents.
        decoder: from the latents to the end.
    """

    network: Instant
    prior: Instant
    decoder: Instant

    @property
    def batch(self) -> Instant:
        """Prior and decoder."""
        return self.prior + self.decoder


@dataclass
class PartsClock:
    """Notes when the parts of a batch begin and end; `watching` a model, it is told.

    On a GPU the evaluations are timed by events, so that the host waits for the device at the first evaluation, before
    the decoder and at the end only: whatever work runs ahead, goes on doing so.
    """

    device: torch.device
    _began: Instant | None = None
    _decoding: Instant | None = None
    _entered: Instant | None = None
    _network: Instant = Instant(0.0, 0.0)
    _events: list[torch.cuda.Event] = field(default_factory=list)

    @contextmanager
    def watching(self, model: Lsgm) -> Iterator[None]:
        """Watch the parts of a model for the length of the block; afterwards it is as it was."""
        decode, network = model.vae.decode, model.prior.network

        def watched_decode(latents: list[Tensor]) -> Tensor:
            self._decoding = self._now()
            return decode(latents)

        hooks = [network.register_forward_pre_hook(self._enter), network.register_forward_hook(self._leave)]
        model.vae.decode = watched_decode
        try:
            yield
        finally:
            del model.vae.decode
            for hook in hooks:
                hook.remove()

    def finish(self) -> PartTimes:
        """The times of the batch that ends now.

        Raises:
            RuntimeError: nothing was evaluated, or nothing decoded.
        """
        end = self._now()
        if self._began is None or self._decoding is None:
            raise RuntimeError("no batch was drawn from the watched model")
        network = self._network
        if self._events:
            starts, ends = self._events[::2], self._events[1::2]
            milliseconds = sum(start.elapsed_time(end) for start, end in zip(starts, ends, strict=True))
            network = Instant(milliseconds / 1000, network.cpu)
        return PartTimes(network, self._decoding - self._began, end - self._decoding)

    def _enter(self, network: nn.Module, inputs: object) -> None:
        if self._began is None:
            self._began = self._now()
        self._mark()
        self._entered = self._read()

    def _leave(self, network: nn.Module, inputs: object, output: object) -> None:
        self._network += self._read() - self._entered
        self._mark()

    def _mark(self) -> None:
        if self.device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)
            event.record(torch.cuda.current_stream(self.device))
            self._events.append(event)

    def _now(self) -> Instant:
        """The time when the device has done what it was told."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return self._read()

    @staticmethod
    def _read() -> Instant:
        return Instant(time.perf_counter(), time.process_time())
