"""All mass on one intensity: the decoder of a model that works on the pixels themselves.

[-1, 1] is cut into 2^bits bins of equal width, one for each intensity: bin k begins at 2 k / 2^bits - 1, and the two
outermost are open to the outside. The intensity itself, as images have it, is 2 k / (2^bits - 1) - 1.
All steps are exact in float32 for up to 8 bits: the bins' edges are multiples of 2^-7, and intensities are computed as
`lsgm.data.transforms` does.
"""

from __future__ import annotations

from torch import Tensor

from .base import OutputDistribution


def levels_of_images(x: Tensor, num_bits: int) -> Tensor:
    """Return the number k of each intensity 2 k / (2^num_bits - 1) - 1, as a float; any shape."""
    return ((x + 1) / 2 * (2**num_bits - 1)).round()


class Intensity(OutputDistribution):
    """A point mass on the intensity whose bin holds the parameter, independent over pixels and colours."""

    def num_parameters(self, image_channels: int) -> int:
        """A real number per colour channel."""
        return image_channels

    def _log_prob_map(self, params: Tensor, x: Tensor) -> Tensor:
        distance = (self._levels(params) - levels_of_images(x, self.num_bits)).abs()
        # 0 where they agree and -inf where not; what is undefined stays so.
        return (1 - distance.clamp(max=1)).log().sum(dim=1)

    def _mean(self, params: Tensor) -> Tensor:
        return 2 * (self._levels(params) / (2**self.num_bits - 1)) - 1

    def _levels(self, params: Tensor) -> Tensor:
        """Number of the bin, as a float."""
        bins = 2**self.num_bits
        return ((params + 1) / 2 * bins).floor().clamp(0, bins - 1)
