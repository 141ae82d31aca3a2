"""log p(z_0) as the authors' code estimates it: a new Gaussian trace probe at every call of the right-hand side.

A parity switch (`evaluate.nelbo.official_probes`). The estimate is unbiased like that of
`lsgm.evaluation.likelihood`, but the solver sees a noisy derivative and pays for it with many more evaluations. As in
the authors' code, the trace is that of the whole right-hand side, with no part of it known, and the solver's error is
one root mean square over the flattened state of the batch, latents and log-densities (nats) together.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import torch
from torch import Tensor

from lsgm.config import NelboConfig
from lsgm.randomness import normal_rows
from lsgm.sampling import Prior, flow_coefficients, integrate, predict_noise, state_dtype
from lsgm.sampling.dopri5 import State

from .likelihood import PriorLogProb, mean_of_solves

OFFICIAL_PROBE_PURPOSE = "likelihood: trace probe of one call"


def official_prior_log_prob(
    prior: Prior, latent: Tensor, indices: Sequence[int], config: NelboConfig, seed: int
) -> PriorLogProb:
    """Estimate log p(z_0).

    The k-th probe of an image is the same at any batch size. The times of the solver's calls are not, since its error
    spans the batch, so that results at two batch sizes differ by noise.

    Args:
        prior: noise predictor with its SDE, in evaluation mode.
        latent: z_0, (B, C, r, r); taken as the state at t_o, without noise.
        indices: index of each image in its data set, which keys its probes.
        config: `tol`, `time_end` (t_o) and `num_probes`, the number of solves that are averaged, are used.
        seed: of the probes.

    Raises:
        SolverError: step underflow, too many evaluations or non-finite values.

    Source: Grathwohl et al. (2019) Algorithm 1; method.md: Likelihood.
    """
    return mean_of_solves(
        [_solve(prior, latent, indices, config, seed, number) for number in range(config.probe_count)]
    )


@torch.no_grad()
def _solve(
    prior: Prior, latent: Tensor, indices: Sequence[int], config: NelboConfig, seed: int, number: int
) -> tuple[Tensor, int]:
    dtype, shape = state_dtype(latent.device), latent.shape
    calls = count()

    def right_hand_side(time: Tensor, state: State) -> State:
        probe = normal_rows(indices, shape[1:], seed, OFFICIAL_PROBE_PURPOSE, number, next(calls)).to(state[0])
        velocity, trace = _velocity_and_trace(prior, state[0][:, :-1].reshape(shape), time, probe)
        return (torch.cat([velocity.flatten(1), trace[:, None]], dim=1),)

    start = torch.cat([latent.to(dtype).flatten(1), torch.zeros(shape[0], 1, dtype=dtype, device=latent.device)], dim=1)
    (final,), nfe = integrate(right_hand_side, (start,), config.time_end, 1.0, config.tol)
    return prior.sde.base_log_prob(final[:, :-1]) + final[:, -1], nfe


def _velocity_and_trace(prior: Prior, latent: Tensor, time: Tensor, probe: Tensor) -> tuple[Tensor, Tensor]:
    """F = dz/dt (B, C, r, r), and n^T (dF/dz) n, (B,)."""
    flow = flow_coefficients(prior.sde, time)
    with torch.enable_grad():
        point = latent.detach().requires_grad_()
        velocity = flow.linear * point + flow.noise * predict_noise(prior, point, time)
        (product,) = torch.autograd.grad(velocity, point, probe)
    return velocity.detach(), (product * probe).flatten(1).sum(dim=1)
