"""A linear-Gaussian VAE with several groups, whose evidence and posterior are known in closed form.

p(x|z) = N(W z + b, noise I), prior of the joined groups N(mean, diag(variance)), posterior: the exact one, its standard
deviation optionally inflated. Two groups form the prior's latent, a third lies at a finer scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lsgm.config import DataConfig, ExperimentConfig, VaeConfig

SHAPES = [(1, 1, 2), (1, 1, 2), (1, 2, 2)]
SIZES = [math.prod(shape) for shape in SHAPES]
DATA = DataConfig(name="patches", patch_size=4)


def toy_config(**nelbo: object) -> ExperimentConfig:
    config = ExperimentConfig(name="toy", data=DATA, vae=VaeConfig(output="normal"))
    settings = config.evaluate.nelbo.model_copy(update=nelbo)
    return config.model_copy(update={"evaluate": config.evaluate.model_copy(update={"nelbo": settings})})


@dataclass(frozen=True)
class ToyOutput:
    latents: list[Tensor]
    log_q: list[Tensor]
    params: Tensor


class MeanOutput:
    """Output distribution whose parameters are the image."""

    def mean(self, params: Tensor) -> Tensor:
        return params


class LinearVae(nn.Module):
    latent_shapes = SHAPES
    num_prior_groups = 2
    prior_shape = (2, 1, 2)
    noise = 0.05

    def __init__(self, mean: Tensor | None = None, variance: Tensor | None = None, inflation: float = 1.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        latent, pixels = sum(SIZES), 16
        self.weight = torch.randn(pixels, latent, generator=generator, dtype=torch.float64) * 0.2
        self.bias = torch.randn(pixels, generator=generator, dtype=torch.float64) * 0.2
        self.mean = torch.zeros(latent, dtype=torch.float64) if mean is None else mean
        self.variance = torch.ones(latent, dtype=torch.float64) if variance is None else variance
        precision = torch.diag(1 / self.variance) + self.weight.T @ self.weight / self.noise
        self.posterior_covariance = torch.linalg.inv(precision)
        self.cholesky = torch.linalg.cholesky(self.posterior_covariance) * inflation
        self.norm = nn.BatchNorm2d(1)
        self.output = MeanOutput()
        self.rows_seen: list[int] = []

    def forward(self, x: Tensor, noises: list[Tensor]) -> ToyOutput:
        self.rows_seen.append(len(x))
        residual = x.double().flatten(1) - self.bias
        centre = (residual @ self.weight / self.noise + self.mean / self.variance) @ self.posterior_covariance
        noise = torch.cat([part.double().flatten(1) for part in noises], dim=1)
        log_q = -0.5 * noise**2 - 0.5 * math.log(2 * math.pi) - torch.diagonal(self.cholesky).log()
        latents = self.groups(centre + noise @ self.cholesky.T)
        return ToyOutput(latents, self.groups(log_q), self.decode(latents))

    def groups(self, flat: Tensor) -> list[Tensor]:
        return [part.reshape(-1, *shape) for part, shape in zip(flat.split(SIZES, 1), SHAPES, strict=True)]

    def decode(self, latents: list[Tensor]) -> Tensor:
        flat = torch.cat([part.double().flatten(1) for part in latents], dim=1)
        return (flat @ self.weight.T + self.bias).reshape(-1, 1, 4, 4)

    def reconstruction(self, params: Tensor, x: Tensor) -> Tensor:
        square = (x.double() - params).flatten(1).square().sum(1) / self.noise
        return 0.5 * square + 8 * math.log(2 * math.pi * self.noise)

    def join(self, latents: list[Tensor]) -> Tensor:
        return torch.cat(latents[: self.num_prior_groups], dim=1)

    def split(self, z0: Tensor) -> list[Tensor]:
        return list(z0.chunk(self.num_prior_groups, dim=1))

    def log_evidence(self, x: Tensor) -> Tensor:
        """log p(x), (B,)."""
        covariance = self.weight * self.variance @ self.weight.T + self.noise * torch.eye(16, dtype=torch.float64)
        location = self.weight @ self.mean + self.bias
        return torch.distributions.MultivariateNormal(location, covariance).log_prob(x.double().flatten(1))


class BatchNormVae(LinearVae):
    """Its decoder ends with a batch norm, and it has a module that must never see a batch."""

    def decode(self, latents: list[Tensor]) -> Tensor:
        return self.norm(super().decode(latents).float())


class ToyModel(nn.Module):
    def __init__(self, vae: LinearVae, prior: object | None = None) -> None:
        super().__init__()
        self.vae = vae
        self.prior = prior


def toy_images(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, 1, 4, 4), generator=generator, dtype=torch.uint8)
