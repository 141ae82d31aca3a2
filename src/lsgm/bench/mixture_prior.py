"""A prior whose score, noise prediction and density are known: a mixture of correlated normals, diffused.

At t = 0 the latents are a mixture of N(mu_k, S), S = s I + U diag(v) U' with orthonormal columns U, so that dimensions
are correlated and samplers and trace estimates meet a Jacobian that is not diagonal. At time t the components are
N(m_t mu_k, m_t^2 S + sigma_t^2 I), of which all that is needed has a closed form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lsgm import randomness
from lsgm.sde import Sde


@dataclass(eq=False)
class MixturePrior:
    """The exact noise prediction of a mixture of normals."""

    sde: Sde
    means: Tensor  # (K, C, r, r), float64
    weights: Tensor  # (K,), of the components; they sum to 1
    variance: float  # s, in every direction
    factors: Tensor  # (D, R), orthonormal columns U, D = C r r; R may be 0
    factor_variances: Tensor  # (R,), v
    alpha: Tensor  # (1, C, 1, 1), share of eps' in the prediction, such that the mixed prediction is the exact one
    calls: int = 0  # evaluations so far

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, r, r)."""
        return tuple(self.means.shape[1:])

    def __call__(self, z: Tensor, time: Tensor) -> Tensor:
        """Predict the noise in z_t, (B, C, r, r), at `time` (B,)."""
        self.calls += 1
        solved, log_joint = self._components(z, time)
        expected = (log_joint.softmax(dim=1)[..., None] * solved).sum(dim=1)
        return (self.sde.variance(time).sqrt()[:, None] * expected).view(z.shape)

    def network_prediction(self, z: Tensor, time: Tensor) -> Tensor:
        """eps' of the mixed score: the exact prediction less its Normal part, divided by alpha."""
        return (self(z, time) - self.normal_coefficient(time) * z) / self.alpha

    def normal_coefficient(self, time: Tensor) -> Tensor:
        """Return (1 - alpha) M(1, t), (B, C, 1, 1)."""
        unit = torch.ones(time.shape[0], 1, 1, 1, dtype=time.dtype)
        return (1 - self.alpha) * self.sde.normal_prediction(unit, time)

    def log_prob(self, z: Tensor, time: float) -> Tensor:
        """log p(z_t) in nats, (B,)."""
        _, log_joint = self._components(z, torch.full((len(z),), time, dtype=z.dtype))
        return log_joint.logsumexp(dim=1)

    def draw(self, indices: Sequence[int], seed: int, time: float) -> Tensor:
        """Draw z_t, (B, C, r, r), keyed by index."""
        dimensions, rank = self.factors.shape
        uniform = randomness.uniform_rows(indices, (1,), seed, "mixture: component").double()
        component = torch.searchsorted(self.weights.cumsum(0), uniform[:, 0]).clamp_max(len(self.means) - 1)
        white, along, noise = (
            randomness.normal_rows(indices, (size,), seed, f"mixture: {name}").double()
            for name, size in (("white", dimensions), ("along", rank), ("diffusion", dimensions))
        )
        z0 = self.means.flatten(1)[component] + self.variance**0.5 * white
        z0 = z0 + (along * self.factor_variances.sqrt()) @ self.factors.T
        return self.sde.perturb(z0, noise, torch.tensor(time, dtype=z0.dtype)).view(-1, *self.shape)

    def _components(self, z: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Covariance^-1 (z_t - m_t mu_k), (B, K, D), and log(weight_k p_k(z_t)), (B, K)."""
        mean, variance = (values[:, None, None] for values in (self.sde.mean(time), self.sde.variance(time)))
        residual = z.flatten(1)[:, None] - mean * self.means.flatten(1)
        # Variances of z_t along the columns of U, and in the other directions.
        rest = mean**2 * self.variance + variance
        along = rest + mean**2 * self.factor_variances
        solved = residual / rest + ((residual @ self.factors) * (1 / along - 1 / rest)) @ self.factors.T
        dimensions, rank = self.factors.shape
        log_determinant = (dimensions - rank) * rest[..., 0].log() + along.log().sum(dim=2)
        log_density = -0.5 * ((residual * solved).sum(dim=2) + dimensions * math.log(2 * math.pi) + log_determinant)
        return solved, self.weights.log() + log_density


def mixture_prior(
    sde: Sde, shape: tuple[int, int, int], components: int = 10, rank: int = 16, alpha: float = 1.0, seed: int = 0
) -> MixturePrior:
    """A mixture of `components`, `rank` directions stretched, with draws for its parameters: about unit variance."""
    means = 0.9 * randomness.normal((components, *shape), seed, "mixture: means").double()
    weights = torch.softmax(0.3 * randomness.normal((components,), seed, "mixture: weights").double(), dim=0)
    directions = randomness.normal((math.prod(shape), rank), seed, "mixture: factors").double()
    factors = torch.linalg.qr(directions).Q if rank else directions
    stretch, shares = torch.linspace(2.0, 0.5, rank).double(), torch.full((1, shape[0], 1, 1), alpha).double()
    return MixturePrior(sde, means, weights, 0.1225, factors, stretch, shares)
