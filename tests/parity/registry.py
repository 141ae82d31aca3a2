"""All comparisons with the reference vectors, and everything in them that is not compared."""

from __future__ import annotations

from . import (
    cases_bias,
    cases_inactive,
    cases_mixing,
    cases_ode,
    cases_optimisers,
    cases_outputs,
    cases_pretraining,
    cases_score,
    cases_sde,
    cases_sizes,
    cases_steps,
    cases_times,
    cases_vae,
)
from .case import Case, Exclusion
from .vectors import Vectors

MODULES = (
    *(cases_sde, cases_times, cases_bias, cases_outputs, cases_mixing, cases_ode),
    *(cases_vae, cases_score, cases_sizes, cases_pretraining, cases_steps, cases_inactive, cases_optimisers),
)
CASES: list[Case] = [case for module in MODULES for case in module.CASES]
EXCLUSIONS: list[Exclusion] = [exclusion for module in MODULES for exclusion in module.EXCLUSIONS]


def cases_of(file: str) -> list[Case]:
    """Comparisons with one file."""
    return [case for case in CASES if case.file == file]


def uncovered(vectors: Vectors) -> list[str]:
    """Values of a file that are neither compared nor excluded with a reason."""
    return [name for name in vectors.values if not _compared(vectors.file, name) and not excluded(vectors.file, name)]


def contradictory(vectors: Vectors) -> list[str]:
    """Values of a file that are both, or excluded for two reasons."""
    return [name for name in vectors.values if len(excluded(vectors.file, name)) + _compared(vectors.file, name) > 1]


def excluded(file: str, name: str) -> list[Exclusion]:
    """Why a value is not compared."""
    return [exclusion for exclusion in EXCLUSIONS if exclusion.claims(file, name)]


def _compared(file: str, name: str) -> bool:
    return any(case.claims(name) for case in cases_of(file))
