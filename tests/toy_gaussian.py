"""Gaussian data, for which the best noise prediction, the flow and the likelihood are known in closed form."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lsgm.config import SdeConfig
from lsgm.sde import Sde, build_sde

SDE_CONFIGS = {
    "vpsde": SdeConfig(type="vpsde"),
    "geometric": SdeConfig(type="geometric", sigma2_0=3.0e-5, time_eps=0.0),
    "sub_vpsde": SdeConfig(type="sub_vpsde"),
    "vesde": SdeConfig(type="vesde", sigma2_min=1.0e-4, sigma2_0=1.0e-4, sigma2_max=100.0),
}


def sde_named(name: str) -> Sde:
    return build_sde(SDE_CONFIGS[name])


def scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


class GaussianPrior:
    """Exact noise prediction for data N(mean, variance), independent over dimensions; counts its calls."""

    def __init__(self, sde: Sde, mean: Tensor, variance: Tensor) -> None:
        self.sde, self.mean, self.variance = sde, mean, variance
        self.shape = tuple(mean.shape[1:])
        self.calls = 0

    def __call__(self, z: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        t = t.reshape(-1, 1, 1, 1)
        m, noise = self.sde.mean(t), self.sde.variance(t)
        return noise.sqrt() * (z - m * self.mean) / (m**2 * self.variance + noise)

    def marginal(self, time: float) -> tuple[Tensor, Tensor]:
        m = self.sde.mean(scalar(time))
        return m * self.mean, m**2 * self.variance + self.sde.variance(scalar(time))

    def flow(self, z: Tensor, start: float, end: float) -> Tensor:
        """Closed form of the probability flow: it keeps (z - mean_t) / std_t."""
        (mean_start, var_start), (mean_end, var_end) = self.marginal(start), self.marginal(end)
        return mean_end + (var_end / var_start).sqrt() * (z - mean_start)

    def log_prob(self, z: Tensor, time_end: float) -> Tensor:
        """Density that the flow from t = 1 gives to z at time_end, with the base distribution of the SDE."""
        (_, var_start), (_, var_end) = self.marginal(time_end), self.marginal(1.0)
        z1 = self.flow(z, time_end, 1.0)
        base = self.sde.base_variance
        log_base = (-0.5 * z1**2 / base - 0.5 * math.log(2 * math.pi * base)).flatten(1).sum(1)
        return log_base + 0.5 * (var_end / var_start).log().sum()


class CorrelatedPrior:
    """Exact noise prediction for data N(0, covariance) over all dimensions of a (C, r, r) latent."""

    def __init__(self, sde: Sde, covariance: Tensor, shape: tuple[int, int, int]) -> None:
        self.sde, self.covariance, self.shape = sde, covariance, shape

    def marginal(self, time: float | Tensor) -> Tensor:
        unit = torch.eye(len(self.covariance), dtype=torch.float64)
        t = torch.as_tensor(time, dtype=torch.float64)
        return self.sde.mean(t) ** 2 * self.covariance + self.sde.variance(t) * unit

    def __call__(self, z: Tensor, t: Tensor) -> Tensor:
        sigma = self.sde.variance(t).sqrt().reshape(-1, 1, 1, 1)
        if bool((t == t[0]).all()):
            return sigma * torch.linalg.solve(self.marginal(t[0]), z.flatten(1).T).T.reshape(z.shape)
        return sigma * torch.linalg.solve(self.marginal(t[:, None, None]), z.flatten(1)).reshape(z.shape)

    def log_prob(self, z: Tensor, time_end: float) -> Tensor:
        start, end = self.marginal(time_end), self.marginal(1.0)
        # All marginals share eigenvectors, along which the flow scales by the ratio of standard deviations.
        vectors = torch.linalg.eigh(self.covariance).eigenvectors
        ratio = (torch.diagonal(vectors.T @ end @ vectors) / torch.diagonal(vectors.T @ start @ vectors)).sqrt()
        z1 = ((z.flatten(1) @ vectors) * ratio) @ vectors.T
        base = self.sde.base_variance
        return (-0.5 * z1**2 / base - 0.5 * math.log(2 * math.pi * base)).sum(1) + ratio.log().sum()
