"""One backward pass of the prior for two objectives that differ by each sample's weight (method 7.1, 7.2).

    L_p = mean_b lambda_p,b SE_b,   L_q = ... + kappa mean_b lambda_q,b SE_b,   SE_b = |eps - eps_theta(z_t, t)|^2 of b

The score network has no interaction between samples, so z_b enters SE_b only, and exactly

    dL_q/dz_b = ... + kappa lambda_q,b / lambda_p,b dL_p/dz_b.

The backward pass of L_p thus gives the prior's own gradient, and on its way into the VAE it is reweighted. In Table 6
this is called "rew."; the published code takes two passes, each through both networks.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from lsgm.diffusion import TimeSample


def vae_over_prior(times: TimeSample) -> Tensor:
    """lambda_q / lambda_p of every sample, (B,).

    It is 0 where lambda_q is, whatever lambda_p; infinite where only lambda_p is 0, for then L_p knows nothing of what
    L_q asks for. The gradient is then not finite, and the step not taken.
    """
    weight = times.vae_weight
    return torch.where(weight == 0, weight, weight / times.prior_weight)


def reweighted_gradient(latent: Tensor, factor: Tensor) -> Tensor:
    """Return `latent` as it is; its gradient is multiplied by `factor` on the way back.

    Args:
        latent: (B, ...).
        factor: (B,), or 0-d for the same in all samples.
    """
    return _ReweightedGradient.apply(latent, factor.reshape(-1, *(1,) * (latent.ndim - 1)))


class _ReweightedGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, latent: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return latent.view_as(latent)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        (factor,) = ctx.saved_tensors
        return factor * gradient, None
