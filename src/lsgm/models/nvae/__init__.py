"""The VAE backbone: NVAE with independent standard-Normal priors on its latent groups (method.md: NVAE backbone)."""

from __future__ import annotations

from .cells import ResidualCell
from .normalisation import BatchNorm2d
from .vae import NVAE, Encoding, VaeOutput
from .weight_norm import WNConv2d

__all__ = ["NVAE", "BatchNorm2d", "Encoding", "ResidualCell", "VaeOutput", "WNConv2d"]
