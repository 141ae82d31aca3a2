"""log p(z_0) along the probability flow in fixed steps, with new trace probes at every evaluation.

In y = z / √N and the angle θ (`lsgm.sampling.angle`) every SDE's flow is dy/dθ = α (ε' − y sin θ) / cos θ, so that

    log p(z_0) = log N(z_1; 0, base variance) + D/2 ln(N_1 / N_0) + ∫ tr[α (dε'/dy − sin θ)] dθ / cos θ.

The Normal part of a mixed score stands still and has no trace: nothing of it is estimated. The path is that of
`lsgm.sampling.multistep`, upwards; it does not depend on the probes. Hence the estimate is a sum of independent terms,
one for each block of evaluations (`FreshProbes`): their spread over the probes gives the standard error of the whole,
and their noise averages out along the path, as that of a probe that stays fixed does not.
The other error, that of the step size, is seen by taking half as many steps with a fixed probe.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lsgm.config import NelboConfig
from lsgm.evaluation.likelihood_path import angle_grid, combine, path_constants, trace_weights
from lsgm.sampling import Prior, state_dtype
from lsgm.sampling.base import network_share

from .likelihood import PriorLogProb, variance_of_mean
from .network_jacobian import NetworkJacobian
from .probes import FreshProbes, draw_probes

# Of the path: 2 leaves ten times the error on mixtures at 100 steps, 4 is no better than 3 at 50.
ORDER = 3
# Probes (P, B, C, r, r) of an evaluation, by its number.
Probes = Callable[[int], Tensor]


def fixed_step_log_prob(
    prior: Prior, latent: Tensor, indices: Sequence[int], config: NelboConfig, seed: int
) -> PriorLogProb:
    """Estimate log p(z_0), unbiased in the probes up to the error of the steps.

    Args:
        prior: noise predictor with its SDE, in evaluation mode.
        latent: z_0, (B, C, r, r); taken as the state at t_o, without noise.
        indices: index of each image in its data set, which keys its probes.
        config: `num_steps`, `probe`, `num_probes` and `time_end` (t_o) are used.
        seed: of the probes.

    Raises:
        SolverError: non-finite values.

    Source: Chen et al. (2018) Theorem 1; Hutchinson (1990).
    """
    places, shape = config.num_steps + 1, latent.shape[1:]
    probes = FreshProbes(indices, shape, config.probe, config.probe_count, places, seed, latent.device)
    return solve_in_steps(prior, latent, config.time_end, config.num_steps, probes)


def change_by_halving(prior: Prior, latent: Tensor, indices: Sequence[int], config: NelboConfig, seed: int) -> Tensor:
    """Return log p(z_0) less its value with half as many steps, (B,), nats: about the error of the latter.

    Both solves have the same fixed probe: its noise is that of the difference alone. Arguments as of
    `fixed_step_log_prob`.
    """
    probe = torch.stack(draw_probes(indices, latent.shape[1:], config.probe, 1, seed))
    probe = probe.to(latent.device, state_dtype(latent.device))
    whole, half = (
        solve_in_steps(prior, latent, config.time_end, count, lambda evaluation: probe).log_prob
        for count in (config.num_steps, config.num_steps // 2)
    )
    return whole - half


@torch.no_grad()
def solve_in_steps(prior: Prior, latent: Tensor, time_end: float, num_steps: int, probes: Probes) -> PriorLogProb:
    """Solve once, with `num_steps` + 1 evaluations of the network and as many vector-Jacobian products as probes.

    Args:
        prior: noise predictor with its SDE, in evaluation mode.
        latent: z_0, (B, C, r, r), at `time_end`.
        time_end: t_o.
        num_steps: from there to t = 1.
        probes: called with the number of the evaluation, 0 at t_o.

    Raises:
        SolverError: a prediction or a trace is not finite; the first such time is named.
    """
    device, dtype = latent.device, state_dtype(latent.device)
    grid = angle_grid(prior.sde, time_end, num_steps)
    angles, scales = grid.angles[::-1], grid.scales[::-1]
    path = path_constants(angles, network_share(prior), ORDER).to(device, dtype)
    trace_shares = trace_weights(angles).to(dtype).to(device)
    jacobian = NetworkJacobian(prior, angles, scales, grid.times.flip(0).to(device, dtype))
    before = y = latent.to(dtype) / scales[0]
    past: list[Tensor] = []
    traces: list[Tensor] = []
    for place in range(num_steps + 1):
        prediction, estimates = jacobian(y, place, probes(place))
        traces.append(trace_shares[place] * estimates)
        past = [prediction, *past[:ORDER]]
        if place > 0:
            y = combine(path.decay[place - 1], before, path.corrector[place - 1], past)
        before = y
        if place < num_steps:
            y = combine(path.decay[place], y, path.predictor[place], past[:ORDER])
    jacobian.require_finite()
    blocks = [block.sum(dim=0) for block in torch.stack(traces).split(FreshProbes.BLOCK)]
    volume = y[0].numel() * math.log(scales[-1] / scales[0])
    log_prob = prior.sde.base_log_prob(y * scales[-1]) + volume + sum(block.mean(dim=0) for block in blocks)
    return PriorLogProb(log_prob, num_steps + 1, sum(variance_of_mean(block) for block in blocks))
