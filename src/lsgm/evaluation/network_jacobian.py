"""The network of a mixed score along a path: its predictions, and estimates of the traces of its Jacobian."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lsgm.sampling import Prior, SolverError
from lsgm.sampling.base import network_share, predict_network


class NetworkJacobian:
    """The network's predictions at the places of a grid, and estimates of their traces.

    Args:
        prior: noise predictor with its SDE.
        angles: θ of the places.
        scales: √N of the places.
        times: t of the places, on the device.
    """

    def __init__(self, prior: Prior, angles: Sequence[float], scales: Sequence[float], times: Tensor) -> None:
        self._prior, self._times, self._scales = prior, times, scales
        self._sines = [math.sin(angle) for angle in angles]
        self._alpha = network_share(prior).to(times)
        self._finite: list[Tensor] = []

    def __call__(self, y: Tensor, place: int, probes: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the network once.

        Args:
            y: (B, C, r, r).
            place: number of the place.
            probes: (P, B, C, r, r).

        Returns:
            eps', (B, C, r, r), and n^T alpha (d eps' / dy - sin θ) n of each probe, (P, B), in the precision of `y`.
            The second part of the trace is known; signs give it exactly, and for normals it takes away most of what
            the first part scatters where noise prevails.
        """
        with torch.enable_grad():
            point = y.detach().requires_grad_()
            prediction = predict_network(self._prior, point * self._scales[place], self._times[place])
            # Of a sum rather than with `grad_outputs`, for which torch would load sympy, 0.7 seconds.
            sums = [(prediction * (self._alpha * probe).to(prediction)).sum() for probe in probes]
            products = [torch.autograd.grad(part, point, retain_graph=True)[0] for part in sums]
        prediction = prediction.detach().to(y)
        known = self._sines[place] * self._alpha
        scattered = torch.stack(products).to(y) * probes - known * probes.square()
        traces = scattered.flatten(2).sum(dim=2)
        self._finite.append(torch.isfinite(prediction).all() & torch.isfinite(traces).all())
        return prediction, traces

    def require_finite(self) -> None:
        """Refuse a solve in which something was not finite, naming its first time: one look at the device for all."""
        finite = torch.stack(self._finite).tolist()
        if not all(finite):
            raise SolverError(self._times[finite.index(False)].item(), "non-finite prediction or trace")
