"""f_mnist, f_cifar10, f_cifar10_nf, f_full_mnist: forward passes of the VAEs, in both modes of their batch norms."""

from __future__ import annotations

import torch
from torch import Tensor

from lsgm.compat.official.vae_names import official_state
from lsgm.models.nvae import NVAE
from lsgm.objective import balancing_coefficients, group_sizes, normal_energy

from . import official_networks
from .case import Case, Exclusion
from .cases_sde import PRECISIONS
from .official_networks import build, load_vae
from .vectors import Vectors

KL_COEFF = 0.6
"""KL coefficient of the balanced sums."""
NARROW = ("f_mnist", "f_cifar10", "f_cifar10_nf")


class Pass:
    """A VAE with published weights in one precision, and what it is given."""

    def __init__(self, vectors: Vectors, precision: str, vae: NVAE) -> None:
        dtype = PRECISIONS[precision]
        self.suffix = f"__{precision}"
        self.vae = vae.to(dtype)
        self.x = 2 * vectors.tensor("x", dtype) - 1
        self.noises = [vectors.tensor(f"noise_{i:02}", dtype) for i in range(len(self.vae.latent_shapes))]

    @torch.no_grad()
    def forward(self, mode: str) -> dict[str, Tensor]:
        """Every quantity of a pass in `eval` or `train` mode."""
        self.vae.train(mode == "train")
        posteriors = []
        hooks = [
            group.sampler.register_forward_hook(lambda _module, _inputs, posterior: posteriors.append(posterior))
            for _, group in self.vae.decoder.steps()
        ]
        result = self.vae(self.x, self.noises)
        for hook in hooks:
            hook.remove()
        energies = [normal_energy(latent) for latent in result.latents]
        kl = [(log_q + energy).sum(dim=(1, 2, 3)) for log_q, energy in zip(result.log_q, energies, strict=True)]
        sizes = torch.tensor(group_sizes(self.vae.latent_shapes)).to(self.x)
        coefficients = balancing_coefficients(torch.stack(kl, dim=1), sizes)
        found = {
            "log_q": sum(log_q.sum(dim=(1, 2, 3)) for log_q in result.log_q),
            "log_p": -sum(energy.sum(dim=(1, 2, 3)) for energy in energies),
            "logits": result.params,
            "recon_loss": self.vae.reconstruction(result.params, self.x),
            "decoder_mean": self.vae.output.mean(result.params),
            "alpha_i": sizes,
            f"kl_balance_coeffs_{KL_COEFF}": coefficients,
            f"balanced_kl_{KL_COEFF}": KL_COEFF * torch.stack(kl, dim=1) @ coefficients,
        }
        for index, posterior in enumerate(posteriors):
            found[f"mu_q_{index:02}"] = posterior.mean
            found[f"log_sig_q_{index:02}"] = posterior.log_sigma
            found[f"z_{index:02}"] = result.latents[index]
            found[f"z_before_nf_{index:02}"] = posterior.sample(self.noises[index])
            found[f"log_q_{index:02}"] = result.log_q[index]
            found[f"kl_{index:02}"] = kl[index]
        return {f"{mode}/{name}{self.suffix}": value for name, value in found.items()}

    @torch.no_grad()
    def sample(self) -> dict[str, Tensor]:
        """The image of given latents."""
        image = self.vae.eval().output.mean(self.vae.decode(self.noises))
        return {f"sample/image{self.suffix}": (image.clamp(-1, 1) + 1) / 2}

    def running_statistics(self) -> dict[str, Tensor]:
        """The batch norms' buffers in the order of their sorted published names."""
        state, results = official_state(self.vae.state_dict(), self.vae.config), {}
        for statistic in ("running_mean", "running_var"):
            names = sorted(name for name in state if name.endswith(statistic))
            results[f"post_train/{statistic}{self.suffix}"] = torch.cat([state[name] for name in names])
        return results


def narrow(vectors: Vectors) -> dict[str, Tensor]:
    """Evaluation, sampling, then training mode, as the vectors were made."""
    vae, state = build(vectors.record["config"]["vada_args"]).vae, vectors.weights(vectors.file, "vae")
    results = {}
    for precision in PRECISIONS:
        load_vae(vae, state)
        run = Pass(vectors, precision, vae)
        results |= run.forward("eval") | run.sample() | run.forward("train") | run.running_statistics()
    return _recorded(vectors, results)


def full_width(vectors: Vectors) -> dict[str, Tensor]:
    """Evaluation mode of both networks of the published width, 3.0 and 63.8 million parameters."""
    shapes = vectors.beside("f_full_params").record["configs"]["mnist"]
    vae, network = official_networks.full_width(vectors.record["config"]["vada_args"], shapes)
    results = {}
    for precision in ("f32", "f64"):
        results |= Pass(vectors, precision, vae).forward("eval")
        z, time = (vectors.tensor(f"sgm/{name}", PRECISIONS[precision]) for name in ("z_t", "t"))
        with torch.no_grad():
            results[f"sgm/eps_out__{precision}"] = network.to(z.dtype)(z, time)
    return _recorded(vectors, results)


def _recorded(vectors: Vectors, results: dict[str, Tensor]) -> dict[str, Tensor]:
    """Leave out what the file does not have; not all quantities are in it in both precisions."""
    return {name: value for name, value in results.items() if name in vectors.values}


CASES = [
    *(Case(file, "VAE", "(eval|train|post_train|sample)/.*", narrow) for file in NARROW),
    Case("f_full_mnist", "both networks at full width", "eval/.*|sgm/eps_out__f..", full_width),
]
EXCLUSIONS = [Exclusion("f_(mnist|cifar10|cifar10_nf|full_mnist)", "x|noise_..|sgm/(z_t|t|vjp_noise)", "inputs")]
