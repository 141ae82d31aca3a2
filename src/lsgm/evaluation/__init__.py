"""Evaluation of likelihoods: log p(z_0) by the probability flow, NELBO, importance-weighted bound, units (method 9).

Distances between sets of images are in `lsgm.evaluation.frechet`.
"""

from .importance_weighted import ImportanceWeightedResult, importance_weighted_bound
from .likelihood import PriorLogProb, draw_probes, prior_log_prob
from .nelbo import NelboResult, NelboTerms, evaluate_nelbo, nelbo_terms
from .posterior import PosteriorDraw, draw_posterior, posterior_noise, standard_normal_log_prob
from .units import bits_per_dim, standard_error

__all__ = [
    "ImportanceWeightedResult",
    "NelboResult",
    "NelboTerms",
    "PosteriorDraw",
    "PriorLogProb",
    "bits_per_dim",
    "draw_posterior",
    "draw_probes",
    "evaluate_nelbo",
    "importance_weighted_bound",
    "nelbo_terms",
    "posterior_noise",
    "prior_log_prob",
    "standard_error",
    "standard_normal_log_prob",
]
