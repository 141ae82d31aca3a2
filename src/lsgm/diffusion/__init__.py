"""Forward processes, weightings, time distributions and the cross entropy of Theorem 1 (spec: method 1 to 6).

To add an SDE: write one file with a frozen dataclass that derives from `Sde`, or from `VariancePreservingSde` if it
keeps a standard normal as it is (then g², σ², 1 − σ² and the inverse of σ² are all there is to give); add one line to
`SDES`, and its name to `SdeConfig.type`. The tests run over the registry: they check the new one's differential
equations, inverse and cross entropy as they stand. It has uniform times at once; importance-sampled ones by one line
in `time_sampling.importance`.
"""

from __future__ import annotations

from lsgm.config import ConfigError, SdeConfig

from .base import Sde, value_at
from .cross_entropy import cross_entropy, cross_entropy_terms, denoising_error, prior_loss
from .geometric import GeometricVPSDE
from .sub_vpsde import SubVPSDE
from .time_sampling import TIMES, TimeSample, TimeSampler, build_time_sampler
from .variance_preserving import VariancePreservingSde
from .vesde import VESDE
from .vpsde import VPSDE
from .weighting import WEIGHTINGS, w_ll, w_re, w_un

SDES: dict[str, type[Sde]] = {
    "vpsde": VPSDE,
    "geometric": GeometricVPSDE,
    "sub_vpsde": SubVPSDE,
    "vesde": VESDE,
}

__all__ = [
    "SDES",
    "TIMES",
    "VESDE",
    "VPSDE",
    "WEIGHTINGS",
    "GeometricVPSDE",
    "Sde",
    "SubVPSDE",
    "TimeSample",
    "TimeSampler",
    "VariancePreservingSde",
    "build_sde",
    "build_time_sampler",
    "cross_entropy",
    "cross_entropy_terms",
    "denoising_error",
    "prior_loss",
    "w_ll",
    "w_re",
    "w_un",
]


def build_sde(config: SdeConfig) -> Sde:
    """Build the forward process that the settings name.

    Args:
        config: settings; a VESDE's sigma2_max must be filled in by then.

    Raises:
        ConfigError: settings that the SDE cannot have, or a variance of 0 at time_eps, where weights divide by it.
    """
    sde = SDES[config.type].from_config(config)
    if value_at(sde.variance, sde.time_eps) <= 0:
        raise ConfigError(
            f"sde.time_eps ({config.time_eps}) must be positive for {config.type} with sde.sigma2_0 = "
            f"{config.sigma2_0}: the variance there is 0 and the weights diverge"
        )
    return sde
