"""The score network that predicts the noise in a latent (architecture 2)."""

from .network import ScoreNetwork
from .residual_block import ResidualBlock

__all__ = ["ResidualBlock", "ScoreNetwork"]
