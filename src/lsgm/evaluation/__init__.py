"""Evaluation of likelihoods: log p(z_0) by the probability flow or in discrete steps, NELBO, importance-weighted bound,
units (method.md: Likelihood).

Distances between sets of images are in `lsgm.evaluation.frechet`.
"""

from .discretised_elbo import ElboWeights, discretised_elbo, elbo_weights
from .fixed_steps import change_by_halving, fixed_step_log_prob, solve_in_steps
from .importance_weighted import ImportanceWeightedResult, importance_weighted_bound
from .likelihood import PriorLogProb, prior_log_prob
from .nelbo import NelboResult, NelboTerms, evaluate_nelbo, nelbo_terms
from .official_probes import official_prior_log_prob
from .posterior import PosteriorDraw, draw_posterior, posterior_noise, standard_normal_log_prob
from .probes import FreshProbes, draw_probes
from .solve_errors import SolveErrors, solve_errors
from .units import bits_per_dim, mean_over_processes, standard_error

__all__ = [
    "ElboWeights",
    "FreshProbes",
    "ImportanceWeightedResult",
    "NelboResult",
    "NelboTerms",
    "PosteriorDraw",
    "PriorLogProb",
    "SolveErrors",
    "bits_per_dim",
    "change_by_halving",
    "discretised_elbo",
    "draw_posterior",
    "draw_probes",
    "elbo_weights",
    "evaluate_nelbo",
    "fixed_step_log_prob",
    "importance_weighted_bound",
    "mean_over_processes",
    "nelbo_terms",
    "official_prior_log_prob",
    "posterior_noise",
    "prior_log_prob",
    "solve_errors",
    "solve_in_steps",
    "standard_error",
    "standard_normal_log_prob",
]
