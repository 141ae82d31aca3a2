"""What every feature network offers to the Fréchet distance, and how its weights are found and checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import torch
from torch import Tensor

from lsgm.config import ConfigError, FrechetConfig
from lsgm.data.source_files import checksum_of, is_file


class FeatureExtractor(ABC):
    """A fixed network from images to feature vectors.

    Attributes:
        name: key of the registry, with a version where the network is ours.
        measure: what a Fréchet distance on these features is called. Only Inception's is called FID.
        protocol: how images reach the network (resize, rounding, range), in words.
        dimension: d, length of a feature vector.
        weights_sha256: checksum of the file of weights, None if there is none.
    """

    name: str
    measure: str
    protocol: str
    dimension: int
    weights_sha256: str | None = None

    @abstractmethod
    def check(self, image_shape: tuple[int, int, int]) -> None:
        """Refuse images (C, H, W) that the network is not made for, with a ConfigError."""

    @abstractmethod
    def __call__(self, images: Tensor) -> Tensor:
        """Features (B, d) of images (B, C, H, W), float in [0, 1], C = 1 or 3."""


def three_channels(images: Tensor) -> Tensor:
    """Repeat gray images (B, 1, H, W) over three channels; colour images pass."""
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images


def find_weights(config: FrechetConfig, root: Path | None, default: str) -> Path:
    """Locate the file of weights.

    Args:
        config: `weights` is a file, or a folder that holds a file named as the default; relative paths start at `root`.
        root: the data root.
        default: where the file lies below the root when `config.weights` is None.

    Raises:
        ConfigError: no such file; says which file to put where.
    """
    chosen = Path(config.weights if config.weights is not None else default)
    if not chosen.is_absolute() and root is None:
        raise ConfigError(
            f"evaluate.frechet.features = {config.features!r} needs the file {chosen.as_posix()} below the data root, "
            f"and no data root was given; give it, or an absolute path in evaluate.frechet.weights"
        )
    path = chosen if root is None else root / chosen
    if path.is_dir():
        path = path / Path(default).name
    if not is_file(path):
        raise ConfigError(
            f"evaluate.frechet.features = {config.features!r}: no file {path}; put {Path(default).name} there (nothing "
            f"is downloaded), or set evaluate.frechet.weights, or choose evaluate.frechet.features = random_conv"
        )
    return path


def verify_weights(path: Path, expected: str | None) -> str:
    """Return the SHA-256 of a file of weights.

    Raises:
        ConfigError: the file cannot be read, or `expected` is given and differs.
    """
    found = checksum_of(path).removeprefix("sha256:")
    if expected is not None and expected.lower() != found:
        raise ConfigError(
            f"{path}: SHA-256 is {found}, evaluate.frechet.sha256 expects {expected}; "
            f"get the file again or correct the key"
        )
    return found


def as_float(images: Tensor) -> Tensor:
    """Images as float32 in [0, 1]: 8-bit ones are divided by 255, float ones pass."""
    return images.to(torch.float32) / 255 if images.dtype == torch.uint8 else images.to(torch.float32)
