"""g_mnist_inactive: which latent channels the encoder does not use, and the prior that does not see them."""

from __future__ import annotations

import torch
from torch import Tensor

from lsgm.training.latents import channel_kl, inactive_channels

from .case import Case
from .cases_sde import PRECISIONS
from .official_networks import build, load_prior, load_vae
from .vectors import Vectors

FILE = "g_mnist_inactive"
UNUSED = tuple(offset + channel for offset in (0, 20) for channel in range(0, 20, 3))
"""Output channels of both samplers that the vectors make constant."""


@torch.no_grad()
def inactive(vectors: Vectors) -> dict[str, Tensor]:
    """KL of each channel, the decision, and the masked prior."""
    networks = vectors.beside("f_mnist")
    results: dict[str, Tensor] = {}
    for precision, dtype in PRECISIONS.items():
        model = build(networks.record["config"]["vada_args"]).eval()
        load_vae(model.vae, networks.weights("f_mnist", "vae"))
        load_prior(model.prior, networks.weights("f_mnist", "sgm"))
        model.to(dtype)
        for _, group in model.vae.decoder.steps():
            group.sampler.conv.log_norm[list(UNUSED)] = -12.0
            group.sampler.conv.bias[list(UNUSED)] = 0.0
        x = 2 * networks.tensor("x", dtype) - 1
        noises = [networks.tensor(f"noise_{group:02}", dtype) for group in range(2)]
        found = inactive_channels(model.vae, [(x, noises)])
        model.prior.deactivate(found)
        z, time = (networks.tensor(f"sgm/{name}", dtype) for name in ("z_t", "t"))
        values = {
            "kl_diag_top": channel_kl(model.vae, x, noises),
            "mixing_logit_after": model.prior.mixing_logit.detach(),
            "eps_out": model.prior.network(z * model.prior.active, time),
            "mixed": model.prior(z, time),
        }
        results |= {f"{name}__{precision}": value for name, value in values.items()} | {"is_active": ~found}
    return results


CASES = [
    Case(
        FILE,
        "inactive channels",
        ".*",
        inactive,
        note="the mask is a buffer of ours and stays with the model; `official_mask` leaves it out of evaluation",
    )
]
EXCLUSIONS = []
