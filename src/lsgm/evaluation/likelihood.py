"""log p(z_0) under the prior by the instantaneous change of variables (LSGM section 2; method 9).

log p(z_0) = log N(z(1); 0, base variance) + integral over [t_o, 1] of tr(dF/dz), z(t_o) = z_0, F the probability flow.
The trace is estimated with one probe n per solve (Hutchinson): n^T J n. The parts of J that are known - f(t) I, and the
Normal part of a mixed score - enter exactly. A probe that stays fixed during a solve keeps the right-hand side smooth;
drawing it anew at every call is unbiased too, but the adaptive solver pays for the noise with several times the
evaluations: `lsgm.evaluation.official_probes` does so, as a parity switch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from lsgm.config import NelboConfig
from lsgm.randomness import normal_rows, uniform_rows
from lsgm.sampling import Prior, flow_coefficients, integrate, predict_noise, state_dtype
from lsgm.sampling.solver import State

PROBE_PURPOSE = "likelihood: trace probe"


class PriorLogProb(NamedTuple):
    """Log-probabilities in nats, (B,), in solver precision, and the mean number of evaluations of a solve."""

    log_prob: Tensor
    nfe: float


def draw_probes(
    indices: Iterable[int],
    shape: Sequence[int],
    kind: Literal["rademacher", "gaussian"],
    num_probes: int,
    seed: int,
) -> list[Tensor]:
    """Draw probes with E[n n^T] = I, keyed by sample index and probe number.

    Args:
        indices: index of each sample in its data set.
        shape: (C, r, r) of the latent.
        kind: signs, which are exact for diagonal Jacobians, or standard normals.
        num_probes: probes per sample.
        seed: of the draws.

    Returns:
        `num_probes` tensors (B, C, r, r).

    Source: Hutchinson (1990); method 9.
    """
    indices = list(indices)
    if kind == "gaussian":
        return [normal_rows(indices, shape, seed, PROBE_PURPOSE, number) for number in range(num_probes)]
    uniforms = (uniform_rows(indices, shape, seed, PROBE_PURPOSE, number) for number in range(num_probes))
    return [torch.where(uniform < 0.5, -1.0, 1.0) for uniform in uniforms]


def prior_log_prob(prior: Prior, latent: Tensor, probes: Sequence[Tensor], config: NelboConfig) -> PriorLogProb:
    """Estimate log p(z_0), unbiased in the probes up to the solver's tolerance.

    Args:
        prior: noise predictor with its SDE, in evaluation mode.
        latent: z_0, (B, C, r, r); taken as the state at t_o, without noise.
        probes: one solve each, whose results are averaged; (B, C, r, r).
        config: `tol` and `time_end` (t_o) are used.

    Raises:
        SolverError: step underflow or non-finite values.
        ValueError: no probes.

    Source: Chen et al. (2018) Theorem 1; Song et al. (2021) section 4.3; method 9.
    """
    if not probes:
        raise ValueError("log p(z_0) needs at least one trace probe")
    solves = [_solve(prior, latent, probe, config) for probe in probes]
    log_prob = torch.stack([solve.log_prob for solve in solves]).mean(dim=0)
    return PriorLogProb(log_prob, sum(solve.nfe for solve in solves) / len(solves))


@torch.no_grad()
def _solve(prior: Prior, latent: Tensor, probe: Tensor, config: NelboConfig) -> PriorLogProb:
    dtype = state_dtype(latent.device)
    probe = probe.to(latent.device, dtype)
    dimensions = latent[0].numel()

    # The trace is integrated per latent dimension, so that one tolerance means the same for both parts of the state.
    def right_hand_side(time: Tensor, state: State) -> State:
        flow = flow_coefficients(prior.sde, time)
        prediction, trace = _prediction_and_trace(prior, state[0], time, probe)
        return flow.linear * state[0] + flow.noise * prediction, flow.linear + flow.noise * trace / dimensions

    start = (latent.to(dtype), torch.zeros(latent.shape[0], dtype=dtype, device=latent.device))
    (final, trace_mean), nfe = integrate(right_hand_side, start, config.time_end, 1.0, config.tol)
    return PriorLogProb(prior.sde.base_log_prob(final) + trace_mean * dimensions, nfe)


def _prediction_and_trace(prior: Prior, latent: Tensor, time: Tensor, probe: Tensor) -> tuple[Tensor, Tensor]:
    """eps_theta (B, C, r, r) and the estimate of tr(d eps_theta / dz), (B,), both in the precision of `latent`."""
    with torch.enable_grad():
        point = latent.detach().requires_grad_()
        prediction = predict_noise(prior, point, time)
        (product,) = torch.autograd.grad(prediction, point, probe.to(prediction.dtype))
    trace = (product.to(probe.dtype) * probe).flatten(1).sum(dim=1)
    known = _known_diagonal(prior, latent, time)
    if known is not None:
        trace = trace + (known * (1 - probe**2)).flatten(1).sum(dim=1)
    return prediction.detach().to(latent.dtype), trace


def _known_diagonal(prior: Prior, latent: Tensor, time: Tensor) -> Tensor | None:
    """Diagonal of the Normal part of a mixed score's Jacobian, which broadcasts to `latent`; None if not exposed."""
    coefficient = getattr(prior, "normal_coefficient", None)
    return None if coefficient is None else coefficient(time.expand(latent.shape[0]))
