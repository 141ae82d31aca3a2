"""Which proposal is the importance sampler of which SDE and weighting (spec: method 5).

A variance-preserving SDE with any noise rate gets r_ll and r_re by one line here; an SDE without a line has uniform
times only.
"""

from __future__ import annotations

from collections.abc import Callable

from lsgm.config import ConfigError

from ..base import Sde
from ..geometric import GeometricVPSDE
from ..sub_vpsde import SubVPSDE
from ..vesde import VESDE
from ..vpsde import VPSDE
from .base import TimeProposal
from .unweighted import UnweightedProposal
from .variance_exploding import NormalVarianceProposal, VarianceRatioProposal
from .variance_preserving import LogVarianceProposal, VarianceProposal

Proposals = dict[str, Callable[..., TimeProposal]]

VPSDE_PROPOSALS: Proposals = {"ll": LogVarianceProposal, "un": UnweightedProposal, "re": VarianceProposal}


def _as_for_vpsde(proposal: Callable[..., TimeProposal]) -> Callable[[SubVPSDE], TimeProposal]:
    """Draw a sub-VPSDE's times as for the VPSDE with the same noise rate; the weights remain its own."""
    return lambda sde: proposal(sde.vpsde)


IMPORTANCE: dict[type[Sde], Proposals] = {
    VPSDE: VPSDE_PROPOSALS,
    GeometricVPSDE: {"ll": LogVarianceProposal, "re": VarianceProposal},
    SubVPSDE: {weighting: _as_for_vpsde(proposal) for weighting, proposal in VPSDE_PROPOSALS.items()},
    VESDE: {"ll": VarianceRatioProposal, "un": VarianceRatioProposal, "re": NormalVarianceProposal},
}


def importance_proposal(sde: Sde, weighting: str) -> TimeProposal:
    """Importance sampler of one objective.

    Args:
        sde: the forward process.
        weighting: `ll`, `un` or `re`.

    Returns:
        The proposal r_w.

    Raises:
        ConfigError: none is defined for this SDE and weighting.
    """
    proposals = IMPORTANCE.get(type(sde), {})
    if weighting not in proposals:
        raise ConfigError(
            f"objective.time = is with objective.weighting = {weighting} is not defined for a {type(sde).__name__}; "
            f"use objective.time = uniform"
        )
    return proposals[weighting](sde)
