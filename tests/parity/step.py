"""One recorded optimisation step (g_mnist_*): the networks, the inputs, and results under published names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from lsgm.compat.official.score_names import official_names
from lsgm.compat.official.vae_layers import ALIAS
from lsgm.compat.official.vae_names import official_vae_names
from lsgm.models import Lsgm
from lsgm.objective import Nelbo
from lsgm.time_sampling import TimeSampler
from lsgm.training.noise import DiffusionNoise
from lsgm.training.spectral import Regulariser

from .case import Match
from .cases_sde import PRECISIONS
from .official_networks import build, load_prior, load_vae
from .vectors import Value, Vectors

STEP, TOTAL_STEPS = 199, 4000
KEYS = r"results/f../(losses/(?!.*/lr).*|(vae|sgm)_grads/.*|(vae|sgm)_sr_exact_svd)|grad_.*"
"""The results that are compared."""


class Step:
    """The networks of f_mnist with what one step was given.

    Attributes:
        model: VAE and prior, in training mode.
        official: our parameter name -> theirs, for `vae` and `prior`.
    """

    def __init__(self, vectors: Vectors, precision: str) -> None:
        self.vectors, self.precision, self.dtype = vectors, precision, PRECISIONS[precision]
        networks = vectors.beside("f_mnist")
        self._states = {"vae": networks.weights("f_mnist", "vae"), "prior": networks.weights("f_mnist", "sgm")}
        self.model: Lsgm = build(networks.record["config"]["vada_args"]).train()
        load_vae(self.model.vae, self._states["vae"])
        load_prior(self.model.prior, self._states["prior"])
        self.model.to(self.dtype)
        names = official_vae_names(self.model.vae.config)
        prior = {f"network.{own}": theirs for own, theirs in official_names(self.model.prior.network).items()}
        self.official = {
            "vae": {own: theirs for theirs, own in names.items() if not theirs.endswith(ALIAS)},
            "prior": prior | {"mixing_logit": "mixing_logit"},
        }

    @property
    def x(self) -> Tensor:
        """Images in [-1, 1]."""
        return 2 * self.vectors.tensor("x", self.dtype) - 1

    @property
    def posterior_noise(self) -> list[Tensor]:
        """One tensor per latent group."""
        return [self.vectors.tensor(f"vae_noise_{group:02}", self.dtype) for group in range(2)]

    def diffusion(self, sampler: TimeSampler) -> DiffusionNoise:
        """Noise and times of the one pass of the prior."""
        times = sampler.sample(self.vectors.tensor("rho_0", self.dtype))
        return DiffusionNoise(self.vectors.tensor("noise_0", self.dtype), times)

    def regulariser(self, part: str, coefficient: float) -> Regulariser:
        """Ours for one network, its power iteration at the recorded vectors."""
        network = getattr(self.model, part)
        regulariser = Regulariser(network, coefficient, True, 0, part)
        if regulariser.spectral is None:
            return regulariser
        prefix = "sr_u_vae" if part == "vae" else "sr_u_sgm"
        order = list(self._states[part])
        layers = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
        shapes = {name: network.get_submodule(name).weight.flatten(1).shape for name in layers}
        for key in regulariser.spectral.left:
            ours = [name for name in layers if "x".join(map(str, shapes[name])) == key]
            rank = np.argsort(np.argsort([order.index(self.official[part][f"{name}.weight"]) for name in ours]))
            regulariser.spectral.left[key] = self.vectors.tensor(f"{prefix}/{key}", self.dtype)[rank]
        regulariser.spectral.started = True
        return regulariser

    def exact_spectral_norm(self, part: str) -> float:
        """Sum of the largest singular values of all weights that a network convolves with."""
        modules = [module for module in getattr(self.model, part).modules() if isinstance(module, nn.Conv2d)]
        weights = [
            module.normalised_weight() if hasattr(module, "normalised_weight") else module.weight for module in modules
        ]
        return sum(torch.linalg.matrix_norm(weight.detach().flatten(1), ord=2).item() for weight in weights)

    def named(self, part: str, gradients: Sequence[Tensor]) -> dict[str, Tensor]:
        """Gradients of a network under published names."""
        parameters = getattr(self.model, part).named_parameters()
        return {self.official[part][name]: grad for (name, _), grad in zip(parameters, gradients, strict=True)}

    def results(self, values: Mapping[str, Value | Match]) -> dict[str, Value | Match]:
        """Put the path of this precision's results before names."""
        return {f"results/{self.precision}/{name}": value for name, value in values.items()}


def by_group(bound: Nelbo, active: str, kl: str, total: str) -> dict[str, float]:
    """Active channels and KL of each group, and all active channels, under names that begin or are as given."""
    counts = bound.active_channels().tolist()
    found = {f"{active}{group}": float(count) for group, count in enumerate(counts)}
    found |= {f"{kl}{group}": value for group, value in enumerate(bound.kl.mean(dim=0).tolist())}
    return found | {total: float(sum(counts))}
