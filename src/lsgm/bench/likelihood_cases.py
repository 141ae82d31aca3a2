"""Settings at which estimates of log p(z0) are measured, by what tables call them.

The solvers are those that `NelboConfig.solver` offers; beside them the published way, a parity switch.
"""

from __future__ import annotations

from typing import get_args

from lsgm.config import NelboConfig

from .scales import Scale

PROBES = (1, 2)
PUBLISHED = "published (Gaussian probes drawn anew)"


def likelihood_cases(scale: Scale) -> dict[str, NelboConfig]:
    """Settings by name."""
    cases: dict[str, NelboConfig] = {}
    for solver in get_args(NelboConfig.model_fields["solver"].annotation):
        for words, changes in _variants(solver, scale).items():
            cases[f"{solver}{words}"] = NelboConfig(solver=solver, **changes)
    for tol in scale.tolerances[1:]:
        cases[f"{PUBLISHED}, tolerance {tol:g}"] = NelboConfig(tol=tol, official_probes=True)
    return cases


def reference_case(scale: Scale) -> str:
    """The name of the case that the others are compared with."""
    return f"{PUBLISHED}, tolerance {scale.tolerances[-1]:g}"


def _variants(solver: str, scale: Scale) -> dict[str, dict[str, float]]:
    if solver == "multistep":
        return {
            f", {count} steps, {probes} probe{'s' if probes > 1 else ''} at each": {
                "num_steps": count,
                "num_probes": probes,
            }
            for count in scale.likelihood_steps
            for probes in PROBES
        }
    if solver == "adaptive":
        return {f", tolerance {tol:g}": {"tol": tol} for tol in scale.tolerances[1:]}
    return {"": {}}
