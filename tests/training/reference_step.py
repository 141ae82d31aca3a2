"""The narrow MNIST networks of the reference vectors in float64, and one optimisation step's inputs and results."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from models.official_score_names import from_official, official_names
from models.official_vae_configs import official_arguments, official_vae
from models.official_vae_names import official_vae_state
from torch import Tensor, nn

from lsgm.config import PriorConfig, SdeConfig
from lsgm.diffusion import TimeSampler, build_sde
from lsgm.models import Lsgm, MixedScorePrior
from lsgm.training.draws import Diffusion
from lsgm.training.regularisers import Regulariser

STEP, TOTAL_STEPS = 199, 4000
PRIOR = PriorConfig(
    num_channels=32,
    channel_mult=(1, 1),
    num_cells_per_scale=2,
    dropout=0.0,
    fir=False,
    embedding_dim=32,
    mixing_logit_init=-6.0,
)


@dataclass(frozen=True)
class Gradient:
    """What is recorded of the gradient of one parameter."""

    norm: float
    total: float
    largest: float


class ReferenceStep:
    def __init__(self, folder: Path, name: str) -> None:
        self.arrays = np.load(folder / f"{name}.npz")
        record = json.loads((folder / f"{name}.json").read_text())
        self.results = record["results"]["f64"] if "results" in record else {}
        self.losses = self.results.get("losses")
        vae = official_vae(official_arguments(folder / "f_mnist.json")).double()
        self._vae_state = torch.load(folder / "f_mnist_vae_state.pt", weights_only=True)
        vae.load_state_dict(official_vae_state(self._vae_state, vae.config))
        prior = MixedScorePrior(PRIOR, vae.prior_shape, build_sde(SdeConfig())).double()
        self._sgm_state = torch.load(folder / "f_mnist_sgm_state.pt", weights_only=True)
        logit = self._sgm_state.pop("mixing_logit")
        prior.network.load_state_dict(from_official(prior.network, self._sgm_state))
        prior.mixing_logit.data.copy_(logit)
        self.model = Lsgm(vae, prior).train()

    def array(self, name: str) -> Tensor:
        return torch.from_numpy(self.arrays[name]).double()

    @property
    def x(self) -> Tensor:
        return 2 * self.array("x") - 1

    @property
    def posterior_noise(self) -> list[Tensor]:
        return [self.array("vae_noise_00"), self.array("vae_noise_01")]

    def diffusion(self, sampler: TimeSampler) -> Diffusion:
        return Diffusion(self.array("noise_0"), sampler.sample(self.array("rho_0")))

    def regulariser(self, part: str, coefficient: float) -> Regulariser:
        """Our regulariser, its power iteration at the recorded vectors."""
        network = self.model.vae if part == "vae" else self.model.prior
        regulariser = Regulariser(network, coefficient, True, 0, part)
        if regulariser.spectral is None:
            return regulariser
        official, prefix = (self.vae_names(), "sr_u_vae") if part == "vae" else (self.prior_names(), "sr_u_sgm")
        order = list(self._vae_state if part == "vae" else self._sgm_state)
        layers = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
        shapes = {name: network.get_submodule(name).weight.flatten(1).shape for name in layers}
        for key in regulariser.spectral.left:
            ours = [name for name in layers if "x".join(map(str, shapes[name])) == key]
            rank = np.argsort(np.argsort([order.index(official[f"{name}.weight"]) for name in ours]))
            regulariser.spectral.left[key] = self.array(f"{prefix}/{key}")[rank]
        regulariser.spectral.started = True
        return regulariser

    def vae_names(self) -> dict[str, str]:
        """Our parameter name -> official one."""
        names = {name: name for name in self._vae_state}
        return official_vae_state(names, self.model.vae.config)

    def prior_names(self) -> dict[str, str]:
        names = official_names(self.model.prior.network)
        return {"mixing_logit": "mixing_logit"} | {f"network.{own}": theirs for own, theirs in names.items()}

    def check_gradients(self, part: str, gradients: tuple[Tensor, ...], rtol: float = 1e-9) -> None:
        network, names = (self.model.vae, self.vae_names()) if part == "vae" else (self.model.prior, self.prior_names())
        recorded = self.results["vae_grads" if part == "vae" else "sgm_grads"]
        per_parameter = dict(recorded["per_param_norm_sum_maxabs"])
        total = torch.linalg.vector_norm(torch.stack([gradient.norm() for gradient in gradients])).item()
        assert abs(total / recorded["total_norm"] - 1) < rtol
        for (name, _), gradient in zip(network.named_parameters(), gradients, strict=True):
            expected = Gradient(*per_parameter.pop(names[name]))
            found = Gradient(gradient.norm().item(), gradient.sum().item(), gradient.abs().max().item())
            # Some biases in front of a batch norm have no gradient but rounding.
            slack = rtol * (expected.norm * gradient.numel() ** 0.5 + 1e-3)
            assert abs(found.norm - expected.norm) < slack, name
            assert abs(found.total - expected.total) < slack, name
            assert abs(found.largest - expected.largest) < slack, name
        assert not per_parameter
