"""f_mnist, f_cifar10, f_cifar10_nf: predictions of the score networks, and a vector-Jacobian product."""

from __future__ import annotations

import torch
from torch import Tensor

from lsgm.models import MixedScorePrior

from .case import Case
from .cases_sde import PRECISIONS
from .cases_vae import NARROW
from .official_networks import build, load_prior
from .vectors import Vectors


def narrow(vectors: Vectors) -> dict[str, Tensor]:
    """Prediction, its gradient, the prediction at one time for all, and the mixed one."""
    prior, results = build(vectors.record["config"]["vada_args"]).prior.eval(), {}
    load_prior(prior, vectors.weights(vectors.file, "sgm"))
    for precision in ("f32", "f64"):
        dtype = PRECISIONS[precision]
        results |= {f"sgm/{name}__{precision}": value for name, value in _found(prior.to(dtype), vectors).items()}
    return results


def _found(prior: MixedScorePrior, vectors: Vectors) -> dict[str, Tensor]:
    dtype = prior.mixing_logit.dtype
    z, time, noise = (vectors.tensor(f"sgm/{name}", dtype) for name in ("z_t", "t", "vjp_noise"))
    z.requires_grad_()
    predicted = prior.network(z, time)
    (gradient,) = torch.autograd.grad((noise * predicted).sum(), z)
    with torch.no_grad():
        return {
            "eps_out": predicted.detach(),
            "vjp": gradient,
            "out_t0dim": prior.network(z, time[0]),
            "mixed": prior(z, time),
        }


CASES = [Case(file, "score network", "sgm/.*__f..", narrow) for file in NARROW]
EXCLUSIONS = []  # in cases_vae, with those of the VAEs
