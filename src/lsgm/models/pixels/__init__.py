"""No VAE at all: the score-based prior models the pixels, as score-based models without LSGM do."""

from __future__ import annotations

from .vae import PixelVae

__all__ = ["PixelVae"]
