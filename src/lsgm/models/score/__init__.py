"""The score network that predicts the noise in a latent (method.md: Score network)."""

from .network import ScoreNetwork
from .residual_block import ResidualBlock

__all__ = ["ResidualBlock", "ScoreNetwork"]
