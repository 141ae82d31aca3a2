"""Weightings w(t), and the times at which the objective is estimated (LSGM section 3.4, Table 1, App. B).

The objective is E_t[w(t)/2 · ‖ε − ε_θ‖²]. Times are drawn from a density r(t) on [time_eps, 1] whose CDF has a closed
inverse, and squared errors are weighted by λ(t) = w(t) / (2 r(t)): an unbiased estimate of the integral for every r.
The best r is proportional to the integrand for standard normal latents and a standard normal prior; the estimate then
does not vary with t at all. For latents of dimension D the integrand of a variance-preserving SDE is
w_ll: D · d ln σ²/dt,   w_re: D · dσ²/dt,   w_un: D · (1 − σ²)   (docs/method.md, Time sampling).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lsgm.config import ConfigError
from lsgm.sde import VESDE, VPSDE, GeometricVPSDE, Sde, SubVPSDE, VariancePreservingSde, value_at

Weighting = Callable[[Sde, Tensor], Tensor]
TIMES = ("uniform", "is")
# Below this the difference of r_un's two error functions has too few digits left to be inverted.
SMALLEST_MASS = 1e-8


def w_ll(sde: Sde, t: Tensor) -> Tensor:
    """Maximum-likelihood weighting g²(t) / σ_t²: makes the objective the cross entropy; the encoder always has it."""
    return sde.diffusion_squared(t) / sde.variance(t)


def w_un(sde: Sde, t: Tensor) -> Tensor:
    """Unweighted objective, 1 at all times."""
    return torch.ones_like(t)


def w_re(sde: Sde, t: Tensor) -> Tensor:
    """Reweighted objective g²(t)."""
    return sde.diffusion_squared(t)


def w_rescale(sde: Sde, t: Tensor) -> Tensor:
    """1 / (1 − σ_t²): makes the loss of a standard normal flat in t. Offered by the published code, not in the paper.

    Raises:
        ConfigError: the variance of this SDE may exceed 1.
    """
    if isinstance(sde, VariancePreservingSde):
        return 1 / sde.one_minus_variance(t)
    if isinstance(sde, SubVPSDE):
        # 1 − σ² = a (2 − a − sigma2_0) with a = m², without the cancellation of 1 − variance(t) near t = 1.
        squared_mean = sde.mean(t).square()
        return 1 / (squared_mean * (2 - squared_mean - sde.sigma2_0))
    raise ConfigError(
        f"objective.weighting = rescale needs a variance below 1, which a {type(sde).__name__} does not keep; "
        f"take ll, un or re"
    )


WEIGHTINGS: dict[str, Weighting] = {"ll": w_ll, "un": w_un, "re": w_re, "rescale": w_rescale}


class TimeProposal(ABC):
    """A density r(t) of diffusion times.

    Attributes:
        published_factor: loss weights of the published code relative to the exact ones w / (2 r), where they differ.
    """

    published_factor = 1.0

    @abstractmethod
    def time(self, rho: Tensor) -> Tensor:
        """Inverse of the CDF: times in [time_eps, 1] up to rounding for rho in [0, 1], same shape; increasing."""

    @abstractmethod
    def density(self, t: Tensor) -> Tensor:
        """Density r(t), which integrates to 1 over [time_eps, 1]; same shape as t, all within that interval."""


class UniformProposal(TimeProposal):
    """r(t) = 1 / (1 − time_eps), for any SDE. The published weights lack the interval's length."""

    def __init__(self, sde: Sde) -> None:
        self.start = sde.time_eps
        self.published_factor = 1 / (1 - self.start)

    def time(self, rho: Tensor) -> Tensor:
        """t = time_eps + (1 − time_eps) ρ."""
        return self.start + (1 - self.start) * rho

    def density(self, t: Tensor) -> Tensor:
        """1 / (1 − time_eps)."""
        return torch.full_like(t, 1 / (1 - self.start))


class LogVarianceProposal(TimeProposal):
    """r_ll(t) ∝ d ln σ_t²/dt: the log-variance is uniform. Uniform in t for the geometric VPSDE."""

    def __init__(self, sde: VariancePreservingSde) -> None:
        self.sde = sde
        self.log_first = math.log(value_at(sde.variance, sde.time_eps))
        self.log_last = math.log1p(-value_at(sde.one_minus_variance, 1.0))

    def time(self, rho: Tensor) -> Tensor:
        """Time of variance σ²(1)^ρ σ²(time_eps)^{1−ρ}."""
        return self.sde.time_of_variance(torch.exp(rho * self.log_last + (1 - rho) * self.log_first))

    def density(self, t: Tensor) -> Tensor:
        """(d ln σ²/dt) / ln(σ²(1) / σ²(time_eps))."""
        return self.sde.variance_rate(t) / self.sde.variance(t) / (self.log_last - self.log_first)


class VarianceProposal(TimeProposal):
    """r_re(t) ∝ dσ_t²/dt: the variance is uniform."""

    def __init__(self, sde: VariancePreservingSde) -> None:
        self.sde = sde
        self.first = value_at(sde.variance, sde.time_eps)
        self.last = value_at(sde.variance, 1.0)

    def time(self, rho: Tensor) -> Tensor:
        """Time of variance ρ σ²(1) + (1 − ρ) σ²(time_eps)."""
        return self.sde.time_of_variance(rho * self.last + (1 - rho) * self.first)

    def density(self, t: Tensor) -> Tensor:
        """(dσ²/dt) / (σ²(1) − σ²(time_eps))."""
        return self.sde.variance_rate(t) / (self.last - self.first)


class UnweightedProposal(TimeProposal):
    """r_un(t) = (1 − σ_t²) / Z_un for the VPSDE with linear β.

    With A = ½(β_1 − β_0) and b = β_0 / (β_1 − β_0), 1 − σ_t² = (1 − sigma2_0) e^{A b²} exp(−A (t + b)²): a Gaussian cut
    off at both ends, so that Z_un and the inverse of the CDF are error functions. The published normaliser has e^{b/2}
    in place of e^{A b²}, 1.0023 times too much.
    """

    def __init__(self, sde: VPSDE) -> None:
        self.sde = sde
        self.curvature = 0.5 * sde.beta_slope
        self.shift = sde.beta_start / sde.beta_slope
        self.first = math.erf(math.sqrt(self.curvature) * (sde.time_eps + self.shift))
        self.last = math.erf(math.sqrt(self.curvature) * (1 + self.shift))
        if self.last - self.first < SMALLEST_MASS:
            raise ConfigError(
                f"objective.time = is with objective.weighting = un: sde.beta_start ({sde.beta_start}) is too close to "
                f"sde.beta_end ({sde.beta_end}) for r_un in double precision; use objective.time = uniform"
            )
        gaussian = math.sqrt(math.pi / (4 * self.curvature)) * (self.last - self.first)
        self.normaliser = (1 - sde.sigma2_0) * math.exp(self.curvature * self.shift**2) * gaussian
        self.published_factor = math.exp(0.5 * self.shift - self.curvature * self.shift**2)

    def time(self, rho: Tensor) -> Tensor:
        """Inverse CDF by the inverse error function."""
        mass = rho * self.last + (1 - rho) * self.first
        return torch.special.erfinv(mass) / math.sqrt(self.curvature) - self.shift

    def density(self, t: Tensor) -> Tensor:
        """(1 − σ_t²) / Z_un."""
        return self.sde.one_minus_variance(t) / self.normaliser


class VarianceRatioProposal(TimeProposal):
    """r_ll = r_un of the VESDE, as g²/σ² is constant: ln(N_t / σ_t²) is uniform, N_t = 1 − sigma2_min + σ_t².

    r(t) ∝ d ln(σ_t² / N_t)/dt = ln R · (1 − sigma2_min) / N_t, for E‖ε − ε_θ‖² = D (1 − sigma2_min) / N_t.
    """

    def __init__(self, sde: VESDE) -> None:
        self.sde = sde
        self.excess = 1 - sde.sigma2_min
        self.first = math.log1p(self.excess / value_at(sde.variance, sde.time_eps))
        self.last = math.log1p(self.excess / sde.sigma2_max)

    def time(self, rho: Tensor) -> Tensor:
        """Time of variance (1 − sigma2_min) / (e^y − 1), y = ln(N/σ²) interpolated linearly."""
        log_ratio = rho * self.last + (1 - rho) * self.first
        return self.sde.time_of_variance(self.excess / torch.expm1(log_ratio))

    def density(self, t: Tensor) -> Tensor:
        """d ln(σ²/N)/dt divided by its integral."""
        return self.sde.log_ratio * self.excess / self.sde.normal_variance(t) / (self.first - self.last)


class NormalVarianceProposal(TimeProposal):
    """r_re of the VESDE ∝ d ln N_t/dt: the logarithm of the diffused variance is uniform."""

    def __init__(self, sde: VESDE) -> None:
        self.sde = sde
        self.first_variance = value_at(sde.variance, sde.time_eps)
        self.first = value_at(sde.normal_variance, sde.time_eps)
        self.log_range = math.log(value_at(sde.normal_variance, 1.0) / self.first)

    def time(self, rho: Tensor) -> Tensor:
        """Time at which N = N(1)^ρ N(time_eps)^{1−ρ}."""
        # N − N(time_eps) = σ² − σ²(time_eps); the difference is formed by expm1, since σ² is far below N at first.
        return self.sde.time_of_variance(self.first_variance + self.first * torch.expm1(rho * self.log_range))

    def density(self, t: Tensor) -> Tensor:
        """(d ln N/dt) / ln(N(1) / N(time_eps))."""
        return self.sde.diffusion_squared(t) / self.sde.normal_variance(t) / self.log_range


VPSDE_PROPOSALS = {"ll": LogVarianceProposal, "un": UnweightedProposal, "re": VarianceProposal}
# A sub-VPSDE draws its times as the VPSDE with the same noise rate does; the weights remain its own.
IMPORTANCE: dict[type[Sde], dict[str, Callable[..., TimeProposal]]] = {
    VPSDE: VPSDE_PROPOSALS,
    GeometricVPSDE: {"ll": LogVarianceProposal, "re": VarianceProposal},
    SubVPSDE: VPSDE_PROPOSALS,
    VESDE: {"ll": VarianceRatioProposal, "un": VarianceRatioProposal, "re": NormalVarianceProposal},
}


@dataclass(frozen=True)
class TimeSample:
    """Times of a batch and the weights of its squared errors, each (B,).

    Attributes:
        time: t in [time_eps, 1].
        prior_weight: λ_p = w(t) / (2 r(t)), multiplies Σ_d (ε − ε_θ)² in the prior's loss.
        vae_weight: λ_q = w_ll(t) / (2 r(t)), multiplies it in the encoder's and decoder's loss.
    """

    time: Tensor
    prior_weight: Tensor
    vae_weight: Tensor


class TimeSampler:
    """Draws times for one SDE and one objective. Build it with `build_time_sampler`."""

    def __init__(self, sde: Sde, weighting: str, proposal: TimeProposal, official_weights: bool = False) -> None:
        self.sde = sde
        self.weighting = WEIGHTINGS[weighting]
        self.proposal = proposal
        self.vae_factor = 0.5 * (proposal.published_factor if official_weights else 1.0)
        # Published: weight 1 in place of ½ for the unweighted objective, for the prior only.
        self.prior_factor = self.vae_factor * (2.0 if official_weights and weighting == "un" else 1.0)

    def sample(self, rho: Tensor) -> TimeSample:
        """Turn uniform draws into times and weights.

        Args:
            rho: uniform on [0, 1), (B,); ρ = 0 is time_eps, ρ = 1 is t = 1.

        Returns:
            Times and weights on rho's device, in rho's dtype but float32 at least. They are computed in float64: it
            costs nothing for a batch of scalars, and 1 − σ² at t = 1 is too small for the rounding of a float32 time.

        Source: LSGM Eqs. (8), (9).
        """
        time = self.proposal.time(rho.double()).clamp(self.sde.time_eps, 1.0)
        scale = 1 / self.proposal.density(time)
        prior_weight = self.prior_factor * scale * self.weighting(self.sde, time)
        vae_weight = self.vae_factor * scale * w_ll(self.sde, time)
        dtype = torch.promote_types(rho.dtype, torch.float32)
        return TimeSample(time.to(dtype), prior_weight.to(dtype), vae_weight.to(dtype))


def build_time_sampler(sde: Sde, weighting: str, time: str, official_weights: bool = False) -> TimeSampler:
    """Build the time sampler of one cell of Table 6.

    Args:
        sde: the forward process.
        weighting: `ll`, `un`, `re` or `rescale`: the prior's objective, and what `is` is optimal for.
        time: `uniform` or `is` (importance sampled).
        official_weights: the published code's constants in place of the exact ones.

    Raises:
        ConfigError: an unknown name, or a combination that is not defined.
    """
    if weighting not in WEIGHTINGS:
        raise ConfigError(f"objective.weighting = {weighting!r} is unknown; there are: {', '.join(WEIGHTINGS)}")
    if time not in TIMES:
        raise ConfigError(f"objective.time = {time!r} is unknown; there are: {', '.join(TIMES)}")
    # A weighting that this SDE cannot have says so here, and not at the first step.
    WEIGHTINGS[weighting](sde, torch.ones(1))
    if time == "uniform":
        return TimeSampler(sde, weighting, UniformProposal(sde), official_weights)
    proposals = IMPORTANCE.get(type(sde), {})
    if weighting not in proposals:
        raise ConfigError(
            f"objective.time = is with objective.weighting = {weighting} is not defined for a {type(sde).__name__}; "
            f"use objective.time = uniform"
        )
    proposal = proposals[weighting](sde.vpsde if isinstance(sde, SubVPSDE) else sde)
    return TimeSampler(sde, weighting, proposal, official_weights)
