"""Settings at which each registered sampler is measured; one that is not named here is measured at its defaults."""

from __future__ import annotations

from lsgm.config import SampleConfig
from lsgm.sampling import SAMPLERS

from .scales import Scale

# What the others are compared with: adaptive steps that a whole batch shares, at the tightest tolerance of the scale.
PUBLISHED = "ode as published"
# Their draws are others, so that no error against the ODE can be taken.
STOCHASTIC = ("ancestral", "predictor_corrector")


def sampler_cases(scale: Scale) -> dict[str, SampleConfig]:
    """Settings by what tables call them."""
    tightest = scale.tolerances[-1]
    cases = {reference_case(scale): SampleConfig(solver="ode", tol=tightest, official_error_norm=True)}
    for solver in SAMPLERS:
        for words, changes in _variants(solver, scale).items():
            cases[f"{solver}{words}"] = SampleConfig(solver=solver, **changes)
    return cases


def reference_case(scale: Scale) -> str:
    """The name of the case that the others are compared with."""
    return f"{PUBLISHED}, tolerance {scale.tolerances[-1]:g}"


def _variants(solver: str, scale: Scale) -> dict[str, dict[str, float]]:
    """Settings that a solver is measured at, by what is said of them."""
    if solver == "ode":
        return {f", tolerance {tol:g}": {"tol": tol} for tol in scale.tolerances}
    if solver in STOCHASTIC:
        steps = scale.ancestral_steps
        return {f", {steps} steps": {"num_steps": steps}}
    if solver in ("heun", "multistep"):
        return {f", {count} evaluations": {"evaluations": count} for count in scale.evaluations}
    return {"": {}}
