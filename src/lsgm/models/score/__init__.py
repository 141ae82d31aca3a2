"""The score network that predicts the noise in a latent (architecture 2)."""

from .network import ScoreNetwork

__all__ = ["ScoreNetwork"]
