"""log p(z_0) under the prior by the instantaneous change of variables, adaptive steps (LSGM section 2).

log p(z_0) = log N(z(1); 0, base variance) + integral over [t_o, 1] of tr(dF/dz), z(t_o) = z_0, F the probability flow.
The trace is estimated with one probe n per solve (Hutchinson): n^T J n. The parts of J that are known - f(t) I, and the
Normal part of a mixed score - enter exactly. A probe that stays fixed during a solve keeps the right-hand side smooth,
but its noise does not average out along the path. Drawing it anew at every call makes an adaptive solver pay for the
noise with several times the evaluations: `lsgm.evaluation.official_probes` does so, as a parity switch. Fixed steps,
the default, need not choose: `lsgm.evaluation.fixed_steps`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lsgm.config import NelboConfig
from lsgm.sampling import Prior, flow_coefficients, integrate_each, predict_noise, state_dtype
from lsgm.sampling.dopri5 import State


class PriorLogProb(NamedTuple):
    """log p(z_0) of a batch.

    Attributes:
        log_prob: (B,), nats, in solver precision.
        nfe: evaluations of the prior in a solve; the mean, if there are several solves.
        variance: of the first by the probes, (B,), nats²; NaN where there is one probe, from which it cannot be told.
    """

    log_prob: Tensor
    nfe: float
    variance: Tensor


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

    Source: Chen et al. (2018) Theorem 1; Song et al. (2021) section 4.3; method.md: Likelihood.
    """
    if not probes:
        raise ValueError("log p(z_0) needs at least one trace probe")
    return mean_of_solves([_solve(prior, latent, probe, config) for probe in probes])


def mean_of_solves(solves: Sequence[tuple[Tensor, int]]) -> PriorLogProb:
    """Average independent solves, each given by its log-probabilities (B,) and its evaluations."""
    log_probs, evaluations = zip(*solves, strict=True)
    values = torch.stack(log_probs)
    return PriorLogProb(values.mean(dim=0), sum(evaluations) / len(solves), variance_of_mean(values))


def variance_of_mean(values: Tensor) -> Tensor:
    """Variance of the mean over the first axis, from the spread along it; NaN if its length is 1."""
    count = len(values)
    return values.var(dim=0) / count if count > 1 else torch.full_like(values[0], math.nan)


@torch.no_grad()
def _solve(prior: Prior, latent: Tensor, probe: Tensor, config: NelboConfig) -> tuple[Tensor, int]:
    dtype = state_dtype(latent.device)
    probe = probe.to(latent.device, dtype)
    dimensions = latent[0].numel()

    # The trace is integrated per latent dimension, so that one tolerance means the same for both parts of the state.
    def right_hand_side(time: Tensor, state: State, probe: Tensor) -> State:
        flow = flow_coefficients(prior.sde, time)
        prediction, trace = _prediction_and_trace(prior, state[0], time, probe)
        return flow.velocity(state[0], prediction), flow.linear + flow.noise * trace / dimensions

    start = (latent.to(dtype), torch.zeros(latent.shape[0], dtype=dtype, device=latent.device))
    solution = integrate_each(right_hand_side, start, config.time_end, 1.0, config.tol, (probe,))
    final, trace_mean = solution.state
    return prior.sde.base_log_prob(final) + trace_mean * dimensions, solution.calls


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
