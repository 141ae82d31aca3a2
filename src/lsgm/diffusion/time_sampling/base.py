"""Where diffusion times are drawn: a density on [time_eps, 1] with a closed inverse of its CDF (spec: method 5)."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor


class TimeProposal(ABC):
    """A distribution r(t) of diffusion times.

    The best one for an objective is proportional to its integrand for standard normal latents and a standard normal
    prior: then the estimate does not vary with t at all.
    """

    @property
    def published_factor(self) -> float:
        """Loss weights of the published code relative to the exact ones w / (2 r), where they differ."""
        return 1.0

    @abstractmethod
    def time(self, rho: Tensor) -> Tensor:
        """Inverse of the CDF.

        Args:
            rho: values in [0, 1], any shape, float64 for full accuracy.

        Returns:
            Times in [time_eps, 1] up to rounding, same shape; increasing in rho.
        """

    @abstractmethod
    def density(self, t: Tensor) -> Tensor:
        """Density r(t), which integrates to 1 over [time_eps, 1]; same shape as t, all within that interval."""
