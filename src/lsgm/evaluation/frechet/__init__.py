"""Fréchet distances between generated and real images. Only the one on Inception features is called FID."""

from .distance import FrechetResult, frechet_distance
from .extractor import FeatureExtractor
from .features import FEATURES, build_features
from .gaussian import GaussianStatistics, averaged_statistics, gaussian_distance, gaussian_statistics

__all__ = [
    "FEATURES",
    "FeatureExtractor",
    "FrechetResult",
    "GaussianStatistics",
    "averaged_statistics",
    "build_features",
    "frechet_distance",
    "gaussian_distance",
    "gaussian_statistics",
]
