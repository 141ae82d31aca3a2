"""b_iw_*: times and loss weights of every mode of sampling t."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from torch import Tensor

from lsgm.compat.official.vocabulary import WEIGHTINGS as MODES
from lsgm.sde import Sde, build_sde
from lsgm.time_sampling import build_time_sampler

from .case import Case, Exclusion
from .cases_sde import OFFICIAL_SDES, PRECISIONS
from .vectors import Vectors

CUT_OFFS = ("0.01", "1e-05", "0")


def sde_at(name: str, time_eps: float) -> Sde:
    """An SDE with this cut-off; the settings refuse 0 for a VPSDE without initial variance."""
    return replace(build_sde(OFFICIAL_SDES[name]), time_eps=time_eps)


def modes_of(name: str, cut_off: str) -> list[str]:
    """Modes in which the published code has finite weights."""
    if name == "geometric_sde":
        return [mode for mode in MODES if mode != "drop_all_iw"]
    return [mode for mode in MODES if cut_off != "0" or mode != "ll_iw"]


def weights(vectors: Vectors, name: str, cut_off: str) -> dict[str, Tensor]:
    """Times, what the SDE is there, and weights, of all modes at one cut-off."""
    sde, results = sde_at(name, float(cut_off)), {}
    for mode in modes_of(name, cut_off):
        sampler = build_time_sampler(sde, *MODES[mode], official_weights=True)
        for precision, dtype in PRECISIONS.items():
            sample = sampler.sample(vectors.tensor("rho", dtype))
            quantities = {
                "t": sample.time,
                "var_t": sde.variance(sample.time),
                "m_t": sde.mean(sample.time),
                "g2_t": sde.diffusion_squared(sample.time),
                # The published weight 1 is not repeated for the batch.
                "obj_weight_t": sample.prior_weight[:1] if mode == "drop_all_uniform" else sample.prior_weight,
                "obj_weight_t_ll": sample.vae_weight,
            }
            results |= {f"eps{cut_off}/{mode}/{key}__{precision}": value for key, value in quantities.items()}
    return results


def _case(name: str, cut_off: str) -> Case:
    return Case(
        f"b_iw_{name}",
        f"times and weights, time_eps = {cut_off}",
        f"eps{cut_off}/({'|'.join(modes_of(name, cut_off))})/.*",
        partial(weights, name=name, cut_off=cut_off),
        switches=("objective.official_weights",),
        elementwise=True,
    )


CASES = [_case(name, cut_off) for name in ("vpsde", "geometric_sde") for cut_off in CUT_OFFS]
EXCLUSIONS = [
    Exclusion("b_iw_.*", "rho", "inputs"),
    Exclusion(
        "b_iw_vpsde",
        "eps0/ll_iw/.*",
        "a VPSDE without initial variance cut off at t = 0 has infinite weights; our settings refuse it",
    ),
]
