"""LSGM = a VAE and a score-based prior on its latents, built from the settings of one experiment.

Weights are drawn from a generator keyed by the seed and the part's name, so a part starts from the same weights
whatever else is built, and nothing else that draws random numbers notices.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lsgm import randomness
from lsgm.config import ExperimentConfig, SdeConfig
from lsgm.sde import build_sde

from .nvae import NVAE
from .outputs import build_output
from .pixels import PixelVae
from .prior import MixedScorePrior
from .vae import Vae


class Lsgm(nn.Module):
    """Container of the two parts; what they do together is in training, sampling and evaluation.

    Args:
        vae: the backbone.
        prior: the score-based prior on the VAE's coarsest latents; None means a standard Normal, a plain VAE.
    """

    def __init__(self, vae: Vae, prior: MixedScorePrior | None = None):
        super().__init__()
        self.vae = vae
        self.prior = prior

    @property
    def kind(self) -> str:
        """`lsgm`, or `vae` if there is no score-based prior."""
        return "vae" if self.prior is None else "lsgm"


def build_vae(config: ExperimentConfig, image_shape: tuple[int, int, int], seed: int | None = None) -> Vae:
    """Build the backbone with fresh weights, on the CPU.

    Args:
        config: the experiment; its sections `data` and `vae` count.
        image_shape: (C, H, W) of the raw images, before `data.pad`.
        seed: for the weights; None means `config.seed`.

    Raises:
        ConfigError: the images fit neither the output distribution nor the number of halvings.

    Source: LSGM App. G.
    """
    channels, height, width = image_shape
    padded = (channels, height + 2 * config.data.pad, width + 2 * config.data.pad)
    output = build_output(config.vae.output, config.data.num_bits)
    kind = NVAE if config.vae.has_weights else PixelVae
    with _initialisation(config.seed if seed is None else seed, "weights of the vae"):
        return kind(config.vae, padded, output, crop=config.data.pad)


def build_prior(
    config: ExperimentConfig, latent_shape: tuple[int, int, int], seed: int | None = None
) -> MixedScorePrior:
    """Build the score-based prior with fresh weights, on the CPU.

    Args:
        config: the experiment; its sections `prior` and `sde` count.
        latent_shape: (C, r, r), the `prior_shape` of the VAE.
        seed: for the weights; None means `config.seed`.

    Raises:
        ConfigError: the side of the latent does not fit the network's levels.
    """
    sde = build_sde(config.sde)
    with _initialisation(config.seed if seed is None else seed, "weights of the prior"):
        return MixedScorePrior(config.prior, latent_shape, sde)


def build_lsgm(config: ExperimentConfig, image_shape: tuple[int, int, int], seed: int | None = None) -> Lsgm:
    """Build the model of an experiment with fresh weights, on the CPU; without a prior if it is a VAE alone.

    Args:
        config: the experiment.
        image_shape: (C, H, W) of the raw images, before `data.pad`.
        seed: for the weights; None means `config.seed`.

    Raises:
        ConfigError: images, VAE and score network do not fit together.
    """
    vae = build_vae(config, image_shape, seed)
    return Lsgm(vae, None if config.is_vae else build_prior(config, vae.prior_shape, seed))


def parameter_counts(config: ExperimentConfig, image_shape: tuple[int, int, int]) -> dict[str, int]:
    """Count the trainable numbers of each part without allocating any.

    Args:
        config: the experiment.
        image_shape: (C, H, W) of the raw images, before `data.pad`.

    Returns:
        `{"vae": n, "prior": n, "total": n}`, without `prior` for a VAE alone.

    Raises:
        ConfigError: images, VAE and score network do not fit together.
    """
    parts = dict(build_outline(config, image_shape).named_children())
    counts = {name: sum(weight.numel() for weight in part.parameters()) for name, part in parts.items()}
    return {**counts, "total": sum(counts.values())}


def build_outline(config: ExperimentConfig, image_shape: tuple[int, int, int]) -> Lsgm:
    """Build the model of an experiment with shapes and types only, on the meta device: no memory is taken.

    Args:
        config: the experiment.
        image_shape: (C, H, W) of the raw images, before `data.pad`.

    Raises:
        ConfigError: images, VAE and score network do not fit together.
    """
    # An SDE has no parameters; the default one also serves where sde.sigma2_max is yet to be measured.
    sde = build_sde(SdeConfig())
    with torch.device("meta"):
        vae = build_vae(config, image_shape)
        return Lsgm(vae, None if config.is_vae else MixedScorePrior(config.prior, vae.prior_shape, sde))


@contextmanager
def _initialisation(seed: int, purpose: str) -> Iterator[None]:
    """Layers draw from torch's CPU generator: seed it for this block, and put its state back afterwards."""
    state = torch.get_rng_state()
    try:
        torch.set_rng_state(randomness.generator(seed, purpose).get_state())
        yield
    finally:
        torch.set_rng_state(state)
