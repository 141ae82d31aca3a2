"""What the samplers of few fixed steps share: y along grids of angles, the network's predictions, and the end.

y = z / √N and the angles are those of `lsgm.sampling.angle`. All constants of a solve are computed on the host in
float64 and moved once; in between nothing waits for the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lsgm.config import SampleConfig

from .angle_grid import angle_grid
from .base import Prior, PriorSamples, network_share, predict_network, state_dtype
from .errors import SolverError
from .path_constants import SAMPLES
from .shifted_grids import SHIFTS


class FewSteps:
    """One solve: where it evaluates, and what came out there.

    Args:
        prior: noise predictor with its SDE.
        noise: standard normals, (B, C, r, r).
        config: `time_end` and `prior_temperature` are used.
        num_steps: steps of the grids.
        taken: grid of each sample, (B,), of those that `SHIFTS` moves; None: all samples take one that is not moved.

    Attributes:
        angles: θ of the places, from t = 1 to the end, (G, 1, 1, 1) each.
        alpha: share of the network, (1, C, 1, 1), float64, on the CPU.
        start: y at the first place, in solver precision, on the device of the noise.
    """

    def __init__(
        self, prior: Prior, noise: Tensor, config: SampleConfig, num_steps: int, taken: Tensor | None = None
    ) -> None:
        shifts = (0.0,) if taken is None else SHIFTS
        grids = [angle_grid(prior.sde, config.time_end, num_steps, shift) for shift in shifts]
        self._prior = prior
        self._dtype, self._device = state_dtype(noise.device), noise.device
        self._taken = None if taken is None else taken.to(noise.device)
        self._grid_times = torch.stack([grid.times for grid in grids], dim=1)
        # (places, G, 1, 1, 1), as all constants.
        times, scales = self._grid_times, torch.tensor([grid.scales for grid in grids], dtype=torch.float64).T
        self._times, self._scales = (self.move(part[..., None, None, None]) for part in (times, scales))
        self._finite: list[Tensor] = []
        self._places: list[int] = []
        angles = torch.tensor([grid.angles for grid in grids], dtype=torch.float64).T
        self.angles = angles[..., None, None, None].unbind()
        self.alpha = network_share(prior)
        scale = config.prior_temperature * prior.sde.base_variance**0.5 / grids[0].scales[0]
        self.start = noise.to(self._dtype) * scale

    def move(self, constants: Tensor) -> Tensor:
        """Bring constants to the solver's device and precision."""
        return constants.to(self._dtype).to(self._device)

    def each(self, constants: Tensor) -> Tensor:
        """Constants of every sample, (..., B, C, 1, 1), from those of the grids, (..., G, C, 1, 1)."""
        return constants if self._taken is None else constants.index_select(SAMPLES, self._taken)

    def predict(self, y: Tensor, place: int) -> Tensor:
        """Evaluate eps' at y and a place of the grid; (B, C, r, r), in the network's precision."""
        time, scale = (self.each(part[place]) for part in (self._times, self._scales))
        prediction = predict_network(self._prior, y * scale, time.flatten())
        self._places.append(place)
        self._finite.append(torch.isfinite(prediction).all())
        return prediction

    def finish(self, y: Tensor) -> PriorSamples:
        """Latents at the end of the grid.

        Raises:
            SolverError: a prediction or the end is not finite; the first such place is named.
        """
        latent = y * self.each(self._scales[-1])
        finite = torch.stack([*self._finite, torch.isfinite(latent).all()]).tolist()
        if not all(finite):
            place = [*self._places, len(self.angles) - 1][finite.index(False)]
            raise SolverError(self._grid_times[place].mean().item(), "non-finite prediction or latent")
        return PriorSamples(latent, len(self._places))


def combine(decay: Tensor, y: Tensor, weights: Tensor, predictions: Sequence[Tensor]) -> Tensor:
    """Return decay y + sum of weights[i] predictions[i], over as many as there are predictions."""
    total = decay * y
    for weight, prediction in zip(weights, predictions, strict=False):
        total = total + weight * prediction
    return total
