"""a_sde_*: the functions of time of each SDE, and the constants of the unweighted importance sampler."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from lsgm.config import SdeConfig
from lsgm.sde import SDES, Sde, SubVPSDE, build_sde
from lsgm.time_sampling import IMPORTANCE, UnweightedProposal

from .case import Case, Exclusion
from .vectors import Vectors

PRECISIONS = {"f64": torch.float64, "f32": torch.float32}
OFFICIAL_SDES = {
    "vpsde": SdeConfig(type="vpsde"),
    "geometric_sde": SdeConfig(type="geometric", sigma2_0=3e-5),
    "sub_vpsde": SdeConfig(type="sub_vpsde"),
    "vesde": SdeConfig(type="vesde", sigma2_min=1e-4, sigma2_max=100.0, sigma2_0=1e-4),
}
VARIANTS = {
    "geo_s0_0__": SdeConfig(type="geometric", sigma2_min=1e-4, sigma2_max=0.99, sigma2_0=0.0),
    "vp_s0_1e-3__": SdeConfig(type="vpsde", sigma2_0=1e-3),
    "subvp_s0_1e-3__": SdeConfig(type="sub_vpsde", sigma2_0=1e-3),
}
ALL = {
    "f": lambda sde, t, x: sde.drift(t),
    "g2": lambda sde, t, x: sde.diffusion_squared(t),
    "var": lambda sde, t, x: sde.variance(t),
    "e2int_f": lambda sde, t, x: sde.mean(t),
    "mixing_component": lambda sde, t, x: sde.normal_prediction(x, t),
    "sample_q_of_x_reversed_noise": lambda sde, t, x: sde.perturb(x, x.flip(0), t),
}
INVERSE = {"inv_var_of_var": lambda sde, t, x: sde.time_of_variance(sde.variance(t))}
OWN: dict[str, dict[str, Callable[[Sde, Tensor, Tensor], Tensor]]] = {
    "vpsde": INVERSE,
    "geometric": INVERSE,
    "sub_vpsde": {
        "var_vpsde": lambda sde, t, x: sde.vpsde.variance(t),
        "beta": lambda sde, t, x: sde.beta(t),
        "inv_var_vpsde_of_var_vpsde": lambda sde, t, x: sde.vpsde.time_of_variance(sde.vpsde.variance(t)),
    },
    "vesde": INVERSE
    | {
        "var_N": lambda sde, t, x: sde.normal_variance(t),
        "inv_var_N_of_var_N": lambda sde, t, x: sde.time_of_variance(sde.normal_variance(t) - (1 - sde.sigma2_min)),
    },
}
UNWEIGHTED = {
    "delta_beta_half": lambda proposal: proposal.curvature,
    "beta_frac": lambda proposal: proposal.shift,
    "const_erf": lambda proposal: proposal.first,
    "const_norm_2": lambda proposal: proposal.last - proposal.first,
    "const_norm": lambda proposal: proposal.normaliser * proposal.published_factor,
    "const_aq": lambda proposal: proposal.normaliser * proposal.published_factor / (proposal.last - proposal.first),
}


def functions(vectors: Vectors, config: SdeConfig, prefix: str) -> dict[str, Tensor]:
    """All functions of time of one SDE, in both precisions."""
    sde = build_sde(config)
    results = {}
    for precision, dtype in PRECISIONS.items():
        t, x = vectors.tensor("t", dtype), vectors.tensor("x", dtype)
        for name, function in (ALL | OWN[config.type]).items():
            results[f"{prefix}{name}__{precision}"] = function(sde, t, x)
    return results


def constants(_: Vectors, config: SdeConfig, prefix: str) -> dict[str, Tensor]:
    """Constants of r_un; ours are computed in float64 whatever the network's precision is."""
    sde = build_sde(config)
    proposal = UnweightedProposal(sde.vpsde if isinstance(sde, SubVPSDE) else sde)
    return {
        f"{prefix}{name}__{precision}": torch.tensor(value(proposal), dtype=dtype)
        for name, value in UNWEIGHTED.items()
        for precision, dtype in PRECISIONS.items()
    }


def _cases() -> list[Case]:
    cases = []
    variants = [(f"a_sde_{name}", "", config) for name, config in OFFICIAL_SDES.items()]
    variants += [("a_sde_variants", prefix, config) for prefix, config in VARIANTS.items()]
    for file, prefix, config in variants:
        names = "|".join(ALL | OWN[config.type])
        compute = partial(functions, config=config, prefix=prefix)
        label = f"{config.type}, sigma2_0 = {config.sigma2_0:g}"
        cases.append(Case(file, f"functions of time ({label})", f"{prefix}({names})__f..", compute, elementwise=True))
        if "un" in IMPORTANCE[SDES[config.type]] and config.type != "vesde":
            compute = partial(constants, config=config, prefix=prefix)
            keys = f"{prefix}({'|'.join(UNWEIGHTED)})__f.."
            cases.append(
                Case(file, f"constants of r_un ({label})", keys, compute, switches=("objective.official_weights",))
            )
    return cases


CASES = _cases()
EXCLUSIONS = [Exclusion("a_sde_.*", "t|x", "inputs")]
