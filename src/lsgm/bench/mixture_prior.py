"""A prior whose score, noise prediction and density are known: a mixture of correlated normals, diffused.

At t = 0 the latents are a mixture of N(mu_k, S), S = s I + U diag(v) U' with orthonormal columns U, so that dimensions
are correlated and samplers and trace estimates meet a Jacobian that is not diagonal. At time t the components are
N(m_t mu_k, m_t^2 S + sigma_t^2 I), of which all that is needed has a closed form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lsgm import randomness
from lsgm.sde import Sde


class MixturePrior:
    """The exact noise prediction of a mixture of normals.

    Args:
        sde: the forward process.
        means: (K, C, r, r), float64.
        weights: (K,), of the components; they sum to 1.
        variance: s, in every direction.
        factors: (D, R), orthonormal columns U, D = C r r; R may be 0.
        factor_variances: (R,), v.
        alpha: share of the "network" in the prediction: eps' is such that the mixed prediction is the exact one.

    Attributes:
        shape: (C, r, r).
        alpha: (1, C, 1, 1).
        calls: evaluations so far.
    """

    def __init__(
        self,
        sde: Sde,
        means: Tensor,
        weights: Tensor,
        variance: float,
        factors: Tensor,
        factor_variances: Tensor,
        alpha: float = 1.0,
    ) -> None:
        self.sde, self.shape = sde, tuple(means.shape[1:])
        self._means, self._log_weights = means.flatten(1), weights.log()
        self._variance, self._factors, self._factor_variances = variance, factors, factor_variances
        self.alpha = torch.full((1, self.shape[0], 1, 1), alpha, dtype=means.dtype, device=means.device)
        self.calls = 0

    def __call__(self, z: Tensor, time: Tensor) -> Tensor:
        """Predict the noise in z_t, (B, C, r, r), at `time` (B,)."""
        self.calls += 1
        mean, variance = self.sde.mean(time)[:, None], self.sde.variance(time)[:, None]
        residual = self._residuals(z, mean)
        solved = self._precision_times(residual, mean[..., None], variance[..., None])
        log_weights = self._log_weights - 0.5 * (residual * solved).sum(dim=2)
        expected = (log_weights.softmax(dim=1)[..., None] * solved).sum(dim=1)
        return (variance.sqrt() * expected).view(z.shape)

    def network_prediction(self, z: Tensor, time: Tensor) -> Tensor:
        """eps' of the mixed score: the exact prediction less its Normal part, divided by alpha."""
        return (self(z, time) - self.normal_coefficient(time) * z) / self.alpha

    def normal_coefficient(self, time: Tensor) -> Tensor:
        """Return (1 - alpha) M(1, t), (B, C, 1, 1)."""
        unit = torch.ones(time.shape[0], 1, 1, 1, dtype=time.dtype, device=time.device)
        return (1 - self.alpha) * self.sde.normal_prediction(unit, time)

    def log_prob(self, z: Tensor, time: float) -> Tensor:
        """log p(z_t) in nats, (B,)."""
        at = torch.full((z.shape[0],), time, dtype=z.dtype, device=z.device)
        mean, variance = self.sde.mean(at)[:, None], self.sde.variance(at)[:, None]
        residual = self._residuals(z, mean)
        solved = self._precision_times(residual, mean[..., None], variance[..., None])
        rest, along = mean**2 * self._variance + variance, self._along(mean, variance)
        dimensions, rank = self._factors.shape
        log_determinant = (dimensions - rank) * rest.log()[:, 0] + along.log().sum(dim=1)
        log_component = -0.5 * ((residual * solved).sum(dim=2) + dimensions * math.log(2 * math.pi))
        return torch.logsumexp(self._log_weights + log_component, dim=1) - 0.5 * log_determinant

    def draw(self, indices: Sequence[int], seed: int, time: float) -> Tensor:
        """Draw z_t, (B, C, r, r), keyed by index."""
        dtype, device = self._means.dtype, self._means.device
        uniform = randomness.uniform_rows(indices, (1,), seed, "mixture: component").to(device, dtype)
        component = torch.searchsorted(self._log_weights.exp().cumsum(0), uniform[:, 0]).clamp_max(len(self._means) - 1)
        white, along = (
            randomness.normal_rows(indices, (size,), seed, f"mixture: {name}").to(device, dtype)
            for name, size in (("white", self._factors.shape[0]), ("along", self._factors.shape[1]))
        )
        z0 = self._means[component] + self._variance**0.5 * white
        z0 = z0 + (along * self._factor_variances.sqrt()) @ self._factors.T
        at = torch.tensor(time, dtype=dtype, device=device)
        noise = randomness.normal_rows(indices, (self._factors.shape[0],), seed, "mixture: diffusion").to(device, dtype)
        return self.sde.perturb(z0, noise, at).view(-1, *self.shape)

    def _residuals(self, z: Tensor, mean: Tensor) -> Tensor:
        """z_t - m_t mu_k, (B, K, D)."""
        return z.flatten(1)[:, None] - mean[..., None] * self._means

    def _along(self, mean: Tensor, variance: Tensor) -> Tensor:
        """Variances of z_t along the columns of U, (..., R)."""
        return mean**2 * (self._variance + self._factor_variances) + variance

    def _precision_times(self, residual: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        """(m^2 S + sigma^2 I)^-1 residual, (B, K, D)."""
        rest = mean**2 * self._variance + variance
        projected = residual @ self._factors
        return residual / rest + (projected * (1 / self._along(mean, variance) - 1 / rest)) @ self._factors.T


def mixture_prior(
    sde: Sde, shape: tuple[int, int, int], components: int = 10, rank: int = 16, alpha: float = 1.0, seed: int = 0
) -> MixturePrior:
    """A mixture with draws for its parameters, float64 on the CPU: about unit variance in every dimension.

    Args:
        sde: the forward process.
        shape: (C, r, r).
        components: K.
        rank: directions in which all components are stretched, at most C r r.
        alpha: see `MixturePrior`.
        seed: of the parameters.
    """
    dimensions = math.prod(shape)
    means = 0.9 * randomness.normal((components, *shape), seed, "mixture: means").double()
    weights = torch.softmax(0.3 * randomness.normal((components,), seed, "mixture: weights").double(), dim=0)
    directions = randomness.normal((dimensions, rank), seed, "mixture: factors").double()
    factors = torch.linalg.qr(directions).Q if rank else directions
    return MixturePrior(sde, means, weights, 0.1225, factors, torch.linspace(2.0, 0.5, rank).double(), alpha)
