"""Weights of the trace along a likelihood's path, which is taken in fixed steps.

Known at all places of the grid in the end, the trace is integrated by a cubic through the four places around each step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

TRACE_PLACES = 4
NODES = 16  # of the quadrature in a step


def trace_weights(angles: Sequence[float]) -> Tensor:
    """Weights w of the places with ∫ X(θ) dθ / cos θ = Σ w X over all steps, (S + 1,), float64.

    Args:
        angles: θ of the S + 1 places, rising, at least two.

    X is taken as the cubic in θ through the four places nearest to a step, of a lower degree where there are fewer.
    Against the trapezium rule this costs no evaluation, and leaves the weights positive on the grids used here.
    """
    places = np.asarray(angles, dtype=np.float64)
    count = min(TRACE_PLACES, len(places))
    nodes, measure = np.polynomial.legendre.leggauss(NODES)
    weights = np.zeros(len(places))
    for step in range(len(places) - 1):
        # In x = artanh(sin θ), dx = dθ / cos θ, as for the path.
        start, end = (math.atanh(math.sin(angle)) for angle in places[step : step + 2])
        theta = np.arcsin(np.tanh((start + end) / 2 + (end - start) / 2 * nodes))
        first = min(max(step - (count - 2) // 2, 0), len(places) - count)
        for own in range(first, first + count):
            others = np.delete(places[first : first + count], own - first)
            basis = np.prod((theta[:, None] - others) / (places[own] - others), axis=1)
            weights[own] += (end - start) / 2 * (measure * basis).sum()
    return torch.from_numpy(weights)
