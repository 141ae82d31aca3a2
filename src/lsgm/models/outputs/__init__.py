"""Output distributions p(x|z), one per file; `OUTPUTS` maps the settings' name to the class."""

from __future__ import annotations

from lsgm.config import ConfigError

from .base import OutputDistribution
from .bernoulli import Bernoulli
from .discretised_logistic import DiscretisedLogistic
from .discretised_logistic_mixture import DiscretisedLogisticMixture
from .intensity import Intensity
from .normal import Normal

OUTPUTS: dict[str, type[OutputDistribution]] = {
    "bernoulli": Bernoulli,
    "discretised_logistic_mixture": DiscretisedLogisticMixture,
    "discretised_logistic": DiscretisedLogistic,
    "normal": Normal,
    "intensity": Intensity,
}


def build_output(name: str, num_bits: int = 8) -> OutputDistribution:
    """Return the output distribution that the settings name.

    Args:
        name: a key of `OUTPUTS`, the value of `vae.output`.
        num_bits: bits per colour channel of the data (`data.num_bits`); only the discretised ones depend on it.

    Raises:
        ConfigError: no such distribution.
    """
    if name not in OUTPUTS:
        raise ConfigError(f"vae.output is {name!r}; it must be one of {', '.join(OUTPUTS)}")
    return OUTPUTS[name](num_bits)


__all__ = [
    "OUTPUTS",
    "Bernoulli",
    "DiscretisedLogistic",
    "DiscretisedLogisticMixture",
    "Intensity",
    "Normal",
    "OutputDistribution",
    "build_output",
]
